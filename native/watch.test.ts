import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addon } from './addon.ts'

let folder = ''
let fd = -1
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-watch-'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  fd = openSync(join(folder, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK)
})
afterEach(() => {
  closeSync(fd)
  rmSync(folder, { recursive: true, force: true })
})

const within10s = { timeout: 10_000, interval: 5 }
const readAll = (): string => {
  const bytes = new Uint8Array(100)
  return new TextDecoder().decode(bytes.subarray(0, readSync(fd, bytes)))
}
/** Long enough for a call that is under way to arrive. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

test('watch() calls back once, and again for what is left or new when it is armed again', async () => {
  let calls = 0
  const watch = addon().watch(fd, () => {
    calls += 1
  })
  await aWhile()
  expect(calls).toBe(0)
  writeSync(fd, 'a')
  await expect.poll(() => calls, within10s).toBe(1)
  writeSync(fd, 'b')
  await aWhile()
  expect(calls).toBe(1)
  addon().rearm(watch)
  await expect.poll(() => calls, within10s).toBe(2)
  expect(readAll()).toBe('ab')
  addon().rearm(watch)
  await aWhile()
  expect(calls).toBe(2)
  writeSync(fd, 'c')
  await expect.poll(() => calls, within10s).toBe(3)
  addon().unwatch(watch)
})

test('watch() tells several descriptors and several watches of one descriptor apart', async () => {
  const called: string[] = []
  const other = openSync(join(folder, 'pipe'), constants.O_RDWR | constants.O_NONBLOCK)
  const watches = [
    addon().watch(fd, () => called.push('first')),
    addon().watch(fd, () => called.push('second')),
    addon().watch(other, () => called.push('other')),
  ]
  addon().unwatch(watches[1] ?? 0)
  writeSync(fd, 'a')
  await expect.poll(() => called.toSorted(), within10s).toEqual(['first', 'other'])
  for (const watch of watches) addon().unwatch(watch)
  closeSync(other)
})

test('unwatch() wins over a call that is under way', async () => {
  let calls = 0
  writeSync(fd, 'a')
  for (let i = 0; i < 200; i++) {
    const watch = addon().watch(fd, () => {
      calls += 1
    })
    // the thread sees it while this one is busy
    if (i % 2 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    addon().unwatch(watch)
  }
  await aWhile()
  expect(calls).toBe(0)
})

test('rearm() and unwatch() of a watch that has ended do nothing', () => {
  const watch = addon().watch(fd, () => undefined)
  addon().unwatch(watch)
  addon().unwatch(watch)
  addon().rearm(watch)
})

test('watch() refuses what cannot be watched', () => {
  const file = openSync(join(folder, 'file'), 'w')
  expect(() => addon().watch(file, () => undefined)).toThrow('epoll_ctl: Operation not permitted')
  closeSync(file)
  expect(() => addon().watch(file, () => undefined)).toThrow('epoll_ctl: Bad file descriptor')
})

const script = (body: string): string =>
  `const { addon } = await import(${JSON.stringify(join(import.meta.dirname, 'addon.ts'))})
   const { openSync, writeSync } = await import('node:fs')
   const fd = openSync(process.argv[1], 'r+')
   ${body}`

test.for([
  ['ends though a watch waits', 'addon().watch(fd, () => undefined); console.log("end")', 0, 'end\n'],
  [
    'ends while a watch fires',
    'const w = addon().watch(fd, () => addon().rearm(w)); writeSync(fd, "a"); setTimeout(() => process.exit(3), 50)',
    3,
    '',
  ],
  [
    'hears of what a callback throws as of any other uncaught exception',
    `process.on('uncaughtException', ({ message }) => { console.log(message); process.exit(4) })
     addon().watch(fd, () => { throw new Error('thrown') }); writeSync(fd, 'a'); setTimeout(() => undefined, 10_000)`,
    4,
    'thrown\n',
  ],
] as const)('a process %s', ([, body, status, stdout]) => {
  const ended = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script(body), join(folder, 'pipe')],
    {
      encoding: 'utf8',
      timeout: 30_000,
    },
  )
  expect({ status: ended.status, stdout: ended.stdout, stderr: ended.stderr }).toEqual({ status, stdout, stderr: '' })
})
