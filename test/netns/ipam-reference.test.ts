/** podwire's `host-local` and the reference's (Debian's containernetworking-plugins) on one folder. */
import { readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressesOf, type Ended, makePool, ours, type Pool, theirs } from './ipam.bed.ts'

const DUAL = {
  ranges: [
    [
      { subnet: '10.1.0.0/28', rangeStart: '10.1.0.3', rangeEnd: '10.1.0.6' },
      { subnet: '10.2.0.0/29', gateway: '10.2.0.3' },
    ],
    [{ subnet: 'fd00::/124' }],
  ],
}

interface Step {
  readonly mine: boolean
  readonly verb: 'ADD' | 'DEL'
  readonly id: number
  readonly ip: string | undefined
}

const steps = fc.array(
  fc.record<Step>({
    mine: fc.boolean(),
    verb: fc.constantFrom('ADD', 'ADD', 'DEL'),
    id: fc.nat(11),
    ip: fc.option(fc.constantFrom('10.1.0.4', '10.2.0.6', 'fd00::9', '10.1.0.1', '192.0.2.1'), {
      nil: undefined,
      freq: 6,
    }),
  }),
  { minLength: 10, maxLength: 30 },
)

const take = (pool: Pool, bin: string, { verb, id, ip }: Step): Ended =>
  pool.call(bin, { verb, containerID: `c${id}`, args: verb === 'ADD' && ip !== undefined ? `IP=${ip}` : '' })

/** Upstream does not look for a second ADD of an attachment when an address is asked for: podwire refuses it. */
const isSecond = (pool: Pool, { verb, id, ip }: Step): boolean =>
  verb === 'ADD' && ip !== undefined && Object.values(pool.files()).includes(`c${id}\r\neth0`)

test('one after the other, in any order, both do what the reference does alone', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const mixed = makePool(DUAL)
      const alone = makePool(DUAL)
      for (const step of list) {
        if (isSecond(alone, step)) continue
        const expected = take(alone, theirs(), step)
        const found = take(mixed, step.mine ? ours() : theirs(), step)
        expect([step, addressesOf(found), found.status === 0]).toEqual([
          step,
          addressesOf(expected),
          expected.status === 0,
        ])
        expect(reservationsIn(mixed)).toEqual(reservationsIn(alone))
        // a failed ADD of the reference may have moved its last address on: set both alike
        for (const [name, text] of Object.entries(alone.files()))
          if (name.startsWith('last_reserved_ip')) writeFileSync(`${mixed.folder}/${name}`, text)
      }
    }),
    { numRuns: 12 },
  )
}, 120_000)

const reservationsIn = (pool: Pool): object =>
  Object.fromEntries(Object.entries(pool.files()).filter(([name]) => !name.startsWith('last_reserved_ip')))

test('a pod of the reference is checked, collected and deleted by podwire, and the other way round', () => {
  const pool = makePool(DUAL)
  const reference = pool.call(theirs(), { verb: 'ADD', containerID: 'theirs' })
  const podwire = pool.call(ours(), { verb: 'ADD', containerID: 'ours' })
  expect(pool.call(ours(), { verb: 'CHECK', containerID: 'theirs', conf: { prevResult: reference.json } }).status).toBe(
    0,
  )
  expect(pool.call(theirs(), { verb: 'CHECK', containerID: 'ours', conf: { prevResult: podwire.json } }).status).toBe(0)
  const valid = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'theirs', ifname: 'eth0' }] }
  expect(pool.call(ours(), { verb: 'GC', containerID: '', conf: valid }).status).toBe(0)
  expect(pool.reserved()).toEqual(['10.1.0.3', 'fd00::2'])
  expect(pool.call(ours(), { verb: 'DEL', containerID: 'theirs' }).status).toBe(0)
  expect(pool.reserved()).toEqual([])
  pool.call(ours(), { verb: 'ADD', containerID: 'ours' })
  expect(pool.call(theirs(), { verb: 'DEL', containerID: 'ours' }).status).toBe(0)
  expect(pool.reserved()).toEqual([])
})

test('the files of one are those of the other, byte for byte', () => {
  const [a, b] = [ours(), theirs()].map((bin) => {
    const pool = makePool(DUAL)
    for (const containerID of ['c1', 'c2']) pool.call(bin, { verb: 'ADD', containerID })
    return pool.files()
  })
  expect(a).toEqual(b)
})

const isOurs = (i: number): boolean => i % 2 === 0
const WIDE = { ranges: [[{ subnet: '10.1.0.0/24' }], [{ subnet: 'fd00::/64' }]] }

/** Statuses other than 0, with what was said. */
const failures = (ended: readonly Ended[]): readonly unknown[] =>
  ended.filter(({ status }) => status !== 0).map(({ json }) => json)

test('100 processes of both at once: no error, no address twice; and all released at once', async () => {
  const pool = makePool(WIDE)
  const ids = [...Array(100).keys()]
  const added = await Promise.all(
    ids.map((i) => pool.start(isOurs(i) ? ours() : theirs(), { verb: 'ADD', containerID: `c${i}` })),
  )
  expect(failures(added)).toEqual([])
  const given = added.flatMap((ended, i) => addressesOf(ended).map((address) => [address.replace(/\/.*/, ''), i]))
  expect(Object.fromEntries(given)).toEqual(
    Object.fromEntries(pool.reserved().map((name) => [name, Number(ownerOf(pool, name))])),
  )
  expect(given).toHaveLength(200)
  // each deletes what the other added, while more are added
  const rest = await Promise.all([
    ...ids.map((i) => pool.start(isOurs(i) ? theirs() : ours(), { verb: 'DEL', containerID: `c${i}` })),
    ...ids.slice(0, 20).map((i) => pool.start(isOurs(i) ? ours() : theirs(), { verb: 'ADD', containerID: `d${i}` })),
  ])
  expect(failures(rest)).toEqual([])
  expect(new Set(pool.reserved().map((name) => ownerOf(pool, name)))).toEqual(new Set(ids.slice(0, 20).map(String)))
  expect(pool.reserved()).toHaveLength(40)
}, 120_000)

const ownerOf = (pool: Pool, name: string): string =>
  readFileSync(`${pool.folder}/${name}`, 'utf8').replace(/^.|\r.*/gs, '')

test('a pool that is just large enough serves them all, and tells the others that it is exhausted', async () => {
  const pool = makePool({ ranges: [[{ subnet: '10.1.0.0/26' }]] })
  const ended = await Promise.all(
    [...Array(80).keys()].map((i) => pool.start(isOurs(i) ? ours() : theirs(), { verb: 'ADD', containerID: `c${i}` })),
  )
  expect(ended.filter(({ status }) => status === 0)).toHaveLength(61)
  expect(new Set(ended.flatMap(addressesOf)).size).toBe(61)
  const codes = ended.flatMap(({ json }, i) => (isOurs(i) && json?.code !== undefined ? [json.code] : []))
  expect(codes.every((code) => code === 101)).toBe(true)
  expect(codes.length).toBeGreaterThan(0)
  const deleted = await Promise.all(
    [...Array(80).keys()].map((i) => pool.start(isOurs(i) ? theirs() : ours(), { verb: 'DEL', containerID: `c${i}` })),
  )
  expect(failures(deleted)).toEqual([])
  expect(pool.reserved()).toEqual([])
  expect(pool.call(ours(), { verb: 'STATUS', containerID: '', conf: { cniVersion: '1.1.0' } }).status).toBe(0)
}, 120_000)
