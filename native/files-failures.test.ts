import * as real from 'node:fs'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { cleanUp, makeFolder } from '../test/support/cleanup.ts'
import { outcomesOf, type Use } from '../test/support/same-files.ts'
import * as files from './files.ts'

afterAll(cleanUp)

let folder = ''
beforeEach(() => {
  folder = makeFolder('files')
})

const FAILURES: readonly [name: string, Use][] = [
  ['open', (fs, d) => fs.openSync(`${d}/no`)],
  ['openSync wx of a file that is there', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.openSync(`${d}/a`, 'wx')]],
  ['close', (fs) => fs.closeSync(4000)],
  ['read', (fs) => fs.readSync(4000, new Uint8Array(1))],
  ['write', (fs) => fs.writeSync(4000, 'x')],
  ['readFile of nothing', (fs, d) => fs.readFileSync(`${d}/no`, 'utf8')],
  ['readFile of a folder', (fs, d) => fs.readFileSync(d, 'utf8')],
  ['writeFile below a file', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.writeFileSync(`${d}/a/b`, '')]],
  ['stat', (fs, d) => fs.statSync(`${d}/no`)],
  ['lstat', (fs, d) => fs.lstatSync(`${d}/no`)],
  ['fstat', (fs) => fs.fstatSync(4000)],
  ['statfs', (fs, d) => fs.statfsSync(`${d}/no`)],
  ['access', (fs, d) => fs.accessSync(`${d}/no`)],
  ['readdir', (fs, d) => fs.readdirSync(`${d}/no`)],
  ['readdir of a file', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.readdirSync(`${d}/a`)]],
  ['mkdir', (fs, d) => fs.mkdirSync(`${d}/no/a`)],
  ['mkdir of what is there', (fs, d) => fs.mkdirSync(d)],
  ['unlink', (fs, d) => fs.unlinkSync(`${d}/no`)],
  ['rmdir', (fs, d) => [fs.mkdirSync(`${d}/a/b`, { recursive: true }), fs.rmdirSync(`${d}/a`)]],
  ['rename', (fs, d) => fs.renameSync(`${d}/no`, `${d}/b`)],
  ['link', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.linkSync(`${d}/a`, `${d}/a`)]],
  ['symlink', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.symlinkSync('x', `${d}/a`)]],
  ['readlink', (fs, d) => fs.readlinkSync(d)],
  ['fsync', (fs) => fs.fsyncSync(4000)],
  ['ftruncate', (fs) => fs.ftruncateSync(4000)],
  ['fchmod', (fs) => fs.fchmodSync(4000, 0o600)],
  ['futimes', (fs) => fs.futimesSync(4000, 1, 1)],
  ['write at a position', (fs) => fs.writeSync(4000, new Uint8Array(1), 0, 1, 0)],
  ['a name that is too long', (fs, d) => fs.openSync(`${d}/${'x'.repeat(300)}`, 'w')],
]

test.each(FAILURES)('files fails as node:fs fails: %s', (_, use) => {
  const { mine, theirs } = outcomesOf(use)
  expect(mine).toEqual(theirs)
  expect(mine).toHaveProperty('code')
})

test.each(['open', 'stat', 'rename'] as const)('%s refuses a NUL in a path, and nothing is done', (name) => {
  const path = `${folder}/a\0b`
  const uses = {
    open: () => files.openSync(path, 'w'),
    stat: () => files.statSync(path),
    rename: () => files.renameSync(folder, path),
  }
  expect(uses[name]).toThrow(/without null bytes/)
  expect(files.readdirSync(folder)).toEqual([])
})

test('mkdirSync() fails where no folder can be made', () =>
  expect(() => files.mkdirSync('/proc/none/below', { recursive: true })).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'mkdir' }),
  ))

test('every constant has the value that Node gives it', () => {
  const values = Object.entries(files.constants)
  expect(values.map(([name]) => [name, (real.constants as Record<string, number>)[name]])).toEqual(values)
})

test('descriptors are closed by exec', () => {
  const fd = files.openSync('/proc/self/comm')
  const flags = /flags:\s*(\d+)/.exec(real.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
  files.closeSync(fd)
  expect(Number.parseInt(flags, 8) & 0o2000000).toBe(0o2000000)
})
