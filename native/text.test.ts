import { spawnSync } from 'node:child_process'
import {
  closeSync,
  linkSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from './addon.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-text-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const withDescriptor = <T>(path: string, flags: string, use: (fd: number) => T): T => {
  const fd = openSync(path, flags)
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}
const read = (path: string, max = 1 << 20): string => withDescriptor(path, 'r', (fd) => addon().readText(fd, max))

test.for([
  ['nothing', '', ''],
  ['ASCII', 'abc\n', 'abc\n'],
  ['all of Unicode', 'é€😀\0x', 'é€😀\0x'],
  ['more than one chunk, with characters across its end', 'é'.repeat(50_001), 'é'.repeat(50_001)],
  ['a byte order mark, which is none of the text', '\ufeff{}', '{}'],
] as const)('readText() and writeText() of %s', ([, text, expected]) => {
  withDescriptor(`${folder}/text`, 'w', (fd) => addon().writeText(fd, text))
  expect(readFileSync(`${folder}/text`, 'utf8')).toBe(text)
  expect(read(`${folder}/text`)).toBe(expected)
})

test('readText() replaces what is no UTF-8', () => {
  writeFileSync(`${folder}/latin1`, Uint8Array.of(97, 0xe9, 98))
  expect(read(`${folder}/latin1`)).toBe('a\ufffdb')
})

test('readText() reads up to its limit and refuses more', () => {
  writeFileSync(`${folder}/ten`, '0123456789')
  expect(read(`${folder}/ten`, 10)).toBe('0123456789')
  expect(() => read(`${folder}/ten`, 9)).toThrow(expect.objectContaining({ syscall: 'read', errno: 7 }))
})

test('readText() says what the kernel refused', () => {
  expect(() => read(folder)).toThrow(expect.objectContaining({ syscall: 'read', errno: 21 }))
  expect(() => addon().readText(9999, 1)).toThrow(expect.objectContaining({ errno: 9 }))
  expect(() => addon().writeText(9999, 'x')).toThrow(expect.objectContaining({ syscall: 'write', errno: 9 }))
})

test('readText() of a character device is empty, and does not wait', () => {
  expect(read('/dev/null')).toBe('')
  expect(read('/dev/zero')).toBe('')
})

test('readText() and writeText() wait for pipes that do not block', () => {
  const half = 'y'.repeat(300_000)
  const script = `
import os, sys, threading, time
out, into = os.pipe(); back, done = os.pipe()
for end in (out, done): os.set_blocking(end, False)
if os.fork() == 0:
    os.dup2(out, 0); os.dup2(done, 1); os.close(into); os.close(back)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(out); os.close(done)
def feed():
    for _ in range(2):
        os.write(into, sys.stdin.buffer.read(300000)); time.sleep(0.1)
    os.close(into)
threading.Thread(target=feed).start()
time.sleep(0.3)
total = 0
while chunk := os.read(back, 65536): total += len(chunk)
print(total, os.wait()[1])`
  const echo = `const m = { exports: {} }; process.dlopen(m, process.argv[1]); m.exports.writeText(1, m.exports.readText(0, 1e6))`
  const addonFile = `${import.meta.dirname}/../dist/podwire.node`
  const args = ['-c', script, process.execPath, '-e', echo, addonFile]
  const { stdout, stderr } = spawnSync('python3', args, { input: half + half, encoding: 'utf8' })
  expect({ stdout, stderr }).toEqual({ stdout: '600000 0\n', stderr: '' })
})

test('sameFile() sees through links, and is false of what is not there', () => {
  writeFileSync(`${folder}/a`, '')
  writeFileSync(`${folder}/b`, '')
  symlinkSync('a', `${folder}/soft`)
  linkSync(`${folder}/a`, `${folder}/hard`)
  const same = (x: string, y: string): boolean => addon().sameFile(`${folder}/${x}`, `${folder}/${y}`)
  expect([same('a', 'a'), same('a', 'soft'), same('hard', 'soft'), same('a', 'b')]).toEqual([true, true, true, false])
  expect([same('none', 'none'), same('a\0x', 'a'), same('a', 'none')]).toEqual([false, false, false])
})

test('readFile() and writeFile() of paths: texts of both charsets, errors as numbers', () => {
  const path = `${folder}/file`
  expect(addon().writeFile(path, 'é€😀', 0o640)).toBe(0)
  expect(statSync(path).mode & 0o777).toBe(0o640 & ~process.umask())
  expect(addon().readFile(path, false)).toBe('é€😀')
  expect(addon().readFile(path, true)).toBe(readFileSync(path, 'latin1'))
  expect(addon().writeFile(path, 'x', 0o600)).toBe(0)
  expect(addon().readFile(path, false)).toBe('x')
  expect([addon().readFile(`${path}\0`, false), addon().writeFile(`${path}\0`, '', 0)]).toEqual([-22, -22])
  expect([addon().readFile(folder, false), addon().writeFile(folder, '', 0)]).toEqual([-21, -21])
  expect([addon().readFile(`${path}/x`, false), addon().readFile(`${folder}/none`, true)]).toEqual([-20, -2])
})

test('readFile() reads files that say they are empty, such as those of /proc', () => {
  expect(addon().readFile('/proc/self/status', false)).toMatch(/^Name:.*\n/)
})
