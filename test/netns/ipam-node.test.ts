/** `host-local` on a node: reboots, full and read-only disks, pools of any size. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { addressesOf, type Ended, type Mounts, makeMounts, makePool, ours, type Pool, theirs } from './ipam.bed.ts'

const WIDE = { ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: 'fd00::/64' }]] }
const STATUS = { verb: 'STATUS', containerID: '', conf: { cniVersion: '1.1.0' } }

const codeOf = ({ json }: Ended): number | undefined => json?.code
const said = ({ json }: Ended): string => `${json?.msg} ${json?.details}`

/** A wrap in which the kernel tells another boot id. */
const bootedAs = (id: string): readonly string[] => {
  const file = `${makeFolder('boot')}/boot_id`
  writeFileSync(file, `${id}\n`)
  const script = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'
  return ['unshare', '-m', '--propagation', 'private', 'sh', '-c', script, file]
}

test('after a reboot the first call frees what was reserved before it, the reference’s too', () => {
  const pool = makePool(WIDE)
  const [first, second] = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'].map(bootedAs)
  pool.call(ours(), { verb: 'ADD', containerID: 'a', wrap: first ?? [] })
  pool.call(theirs(), { verb: 'ADD', containerID: 'b' })
  pool.call(ours(), { verb: 'ADD', containerID: 'c', wrap: first ?? [] })
  expect(pool.reserved()).toHaveLength(6)
  const restarted = pool.call(ours(), { verb: 'ADD', containerID: 'a', wrap: second ?? [] })
  expect(addressesOf(restarted)).toEqual(['10.1.0.5/16', 'fd00::5/64'])
  expect(pool.reserved()).toEqual(['10.1.0.5', 'fd00::5'])
  expect(pool.call(ours(), { verb: 'DEL', containerID: 'a', wrap: second ?? [] }).status).toBe(0)
  expect(pool.reserved()).toEqual([])
})

test('a pool that an earlier boot left full is usable at once', () => {
  const pool = makePool({ ranges: [[{ subnet: '10.1.0.0/29' }]] })
  const before = bootedAs('11111111-1111-4111-8111-111111111111')
  for (const containerID of ['a', 'b', 'c', 'd', 'e']) pool.call(ours(), { verb: 'ADD', containerID, wrap: before })
  expect(codeOf(pool.call(ours(), { ...STATUS, wrap: before }))).toBe(50)
  expect(pool.call(ours(), STATUS).status).toBe(0)
  expect(pool.reserved()).toEqual([])
})

/** A pool on a file system of its own, `options` being those of tmpfs; `view` is the pool as this process sees it. */
const mounted = async (
  options: string,
): Promise<{ readonly mounts: Mounts; readonly pool: Pool; readonly view: Pool }> => {
  const mounts = await makeMounts()
  const dataDir = makeFolder('disk')
  mounts.shell(`mount -t tmpfs -o ${options} pool ${dataDir}`)
  return { mounts, pool: makePool(WIDE, dataDir), view: makePool(WIDE, mounts.seen(dataDir)) }
}

test('on a full disk ADD says so and leaves nothing, and DEL still releases, with the index and without', async () => {
  const { mounts, pool, view } = await mounted('size=256k')
  const call = (verb: string, containerID: string) => pool.call(ours(), { verb, containerID, wrap: mounts.wrap })
  for (const id of ['a', 'b', 'c']) expect(call('ADD', id).status).toBe(0)
  mounts.shell(`cat /dev/zero > ${pool.dataDir}/filler 2> /dev/null || true`)
  const refused = call('ADD', 'd')
  expect([codeOf(refused), said(refused)]).toEqual([5, expect.stringMatching(/no space left.*df/)])
  expect(view.reserved()).toHaveLength(6)
  expect(call('DEL', 'a').status).toBe(0)
  expect(view.reserved()).toHaveLength(4)
  mounts.shell(`rm -r ${pool.dataDir}/.podwire; cat /dev/zero >> ${pool.dataDir}/filler 2> /dev/null || true`)
  expect(call('DEL', 'b').status).toBe(0)
  expect(Object.values(view.files()).filter((text) => text.includes('eth0'))).toEqual(Array(2).fill('c\r\neth0'))
  mounts.shell(`rm ${pool.dataDir}/filler`)
  expect(call('ADD', 'd').status).toBe(0)
})

test('with no inode left ADD says so and leaves nothing', async () => {
  const { mounts, pool, view } = await mounted('nr_inodes=16')
  const ended = [...Array(8).keys()].map((i) =>
    pool.call(ours(), { verb: 'ADD', containerID: `c${i}`, wrap: mounts.wrap }),
  )
  const given = ended.filter(({ status }) => status === 0).length
  expect(given).toBeGreaterThan(1)
  expect(ended.map(codeOf).slice(given)).toEqual(Array(8 - given).fill(5))
  expect(view.reserved()).toHaveLength(2 * given)
})

test('on a read-only disk ADD fails with 5, STATUS with 50, and CHECK works', async () => {
  const { mounts, pool } = await mounted('size=1m')
  const added = pool.call(ours(), { verb: 'ADD', containerID: 'a', wrap: mounts.wrap })
  mounts.shell(`mount -o remount,ro ${pool.dataDir}`)
  const call = (request: object) => pool.call(ours(), { verb: 'ADD', containerID: 'a', wrap: mounts.wrap, ...request })
  const refused = call({ containerID: 'b' })
  expect([codeOf(refused), said(refused)]).toEqual([5, expect.stringMatching(/pods.*read-only.*remount/)])
  const status = call(STATUS)
  expect([codeOf(status), said(status)]).toEqual([50, expect.stringMatching(/pods.*read-only/)])
  expect(call({ verb: 'CHECK', conf: { prevResult: added.json } }).status).toBe(0)
  expect(call({ verb: 'DEL', containerID: 'nobody' }).json?.code).toBe(5)
})

test('a network’s folder that is a mount of its own serves too', async () => {
  const mounts = await makeMounts()
  const pool = makePool(WIDE)
  mkdirSync(pool.folder)
  mounts.shell(`mount -t tmpfs pool ${pool.folder}`)
  const view = makePool(WIDE, mounts.seen(pool.dataDir))
  const call = (bin: string, verb: string, containerID: string) =>
    pool.call(bin, { verb, containerID, wrap: mounts.wrap })
  expect(addressesOf(call(ours(), 'ADD', 'a'))).toEqual(['10.1.0.2/16', 'fd00::2/64'])
  expect(addressesOf(call(theirs(), 'ADD', 'b'))).toEqual(['10.1.0.3/16', 'fd00::3/64'])
  expect(view.files()['10.1.0.2']).toBe('a\r\neth0')
  for (const id of ['a', 'b']) call(ours(), 'DEL', id)
  expect(view.reserved()).toEqual([])
})

/** The system calls of one call that name a file or descriptor of the pool, in order and without numbers. */
const callsOf = (pool: Pool, verb: string, containerID: string): readonly string[] => {
  const log = `${makeFolder('strace')}/log`
  const wrap = ['strace', '-qq', '-o', log, '-e', 'trace=%file,%desc']
  expect(pool.call(ours(), { verb, containerID, wrap, conf: { cniVersion: '1.1.0' } }).status).toBe(0)
  const lines = readFileSync(log, 'utf8').split('\n')
  const own = lines.slice(lines.findIndex((line) => line.includes(pool.folder)))
  return own.map((line) => line.replace(/\(.*/s, ''))
}

test.each([200, 3000])('ADD, DEL and STATUS make the same calls with %i reservations as with none', (count) => {
  const empty = makePool(WIDE)
  const crowded = makePool(WIDE)
  mkdirSync(crowded.folder)
  for (let i = 0; i < count; i++) writeFileSync(`${crowded.folder}/10.1.${(i >> 7) + 1}.${i & 127}`, `c${i}\r\neth0`)
  for (const pool of [empty, crowded]) pool.call(ours(), { verb: 'ADD', containerID: 'first' })
  for (const verb of ['ADD', 'STATUS', 'DEL', 'DEL']) {
    const calls = callsOf(crowded, verb, 'second')
    expect([verb, calls]).toEqual([verb, callsOf(empty, verb, 'second')])
    expect(calls.length).toBeLessThan(80)
  }
  // one of the reservations that podwire did not make
  expect(callsOf(crowded, 'DEL', 'c100').length).toBeLessThan(50)
  expect(readdirSync(crowded.folder)).not.toContain('10.1.1.100')
  expect(crowded.reserved()).toHaveLength(count + 1)
})

test('a pool without a hole costs the same as an empty one', () => {
  const pool = makePool({ ranges: [[{ subnet: '10.1.0.0/20' }]] })
  mkdirSync(pool.folder)
  for (let i = 2; i < 4093; i++) writeFileSync(`${pool.folder}/10.1.${i >> 8}.${i & 255}`, `c${i}\r\neth0`)
  pool.call(ours(), { verb: 'ADD', containerID: 'x' })
  pool.call(ours(), { verb: 'DEL', containerID: 'x' })
  const calls = callsOf(pool, 'ADD', 'last')
  expect(calls.length).toBeLessThan(80)
  expect(pool.reserved()).toContain('10.1.15.254')
  expect(pool.reserved()).toHaveLength(4092)
})
