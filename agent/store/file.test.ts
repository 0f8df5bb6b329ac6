import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { type FileStoreOptions, openFileStore } from './file.ts'
import { type Claim, type LeaseEvent, LeaseLost, StoreError } from './store.ts'

let folder: string
let ended: AbortController
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-store-'))
  mkdirSync(`${folder}/subnets`)
  ended = new AbortController()
})
afterEach(() => {
  ended.abort()
  rmSync(folder, { recursive: true, force: true })
})

const pathOf = (n: number): string => `${folder}/subnets/10.5.${n}.0-24.json`
const textOf = (n: number, more: object = {}): string =>
  JSON.stringify({
    PublicIP: `192.0.2.${n}`,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: `0e:00:00:00:00:${n.toString(16).padStart(2, '0')}` },
    ...more,
  })
const put = (n: number, more: object = {}): void => {
  writeFileSync(`${folder}/new`, textOf(n, more))
  renameSync(`${folder}/new`, pathOf(n))
}

/** An event as one word or two: `set 10.5.1.0-24`. */
const wordOf = (event: LeaseEvent): string => {
  if (event.kind === 'all') return `all ${[...event.leases.map(({ key }) => key), ...event.invalid.keys()].join(' ')}`
  return `${event.kind} ${event.kind === 'set' ? event.lease.key : event.key}`
}

interface Watching {
  readonly events: LeaseEvent[]
  readonly words: () => readonly string[]
  readonly end: Promise<void>
}
const watching = (options: Partial<FileStoreOptions> = {}): Watching => {
  const events: LeaseEvent[] = []
  const end = openFileStore({ folder, ...options }).watch((event) => events.push(event), ended.signal)
  end.catch(() => undefined)
  return { events, words: () => events.map(wordOf), end }
}
const told = (watch: Watching, ...words: readonly string[]): Promise<void> =>
  vi.waitFor(() => expect(watch.words()).toEqual(words), { timeout: 10_000, interval: 5 })

describe('watch() tells', () => {
  test('everything first, then what is made, changed and removed', async () => {
    put(1)
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24')
    put(2)
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.2.0-24')
    put(2, { PublicIP: '192.0.2.200' })
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.2.0-24', 'set 10.5.2.0-24')
    expect(watch.events[2]).toMatchObject({ lease: { publicIP: '192.0.2.200' } })
    unlinkSync(pathOf(1))
    await vi.waitFor(() => expect(watch.words()[3]).toBe('gone 10.5.1.0-24'))
  })

  test('what a person writes in place', async () => {
    const watch = watching()
    await told(watch, 'all ')
    writeFileSync(pathOf(1), textOf(1))
    await told(watch, 'all ', 'set 10.5.1.0-24')
  })

  test('a file written in two parts once, as what it is in the end', async () => {
    const watch = watching()
    await told(watch, 'all ')
    const text = textOf(1)
    writeFileSync(pathOf(1), text.slice(0, 20))
    await new Promise((resolve) => setTimeout(resolve, 20))
    appendFileSync(pathOf(1), text.slice(20))
    await told(watch, 'all ', 'set 10.5.1.0-24')
  })

  test('nothing of a renewal, a touch, a draft or a name that is none of a lease', async () => {
    put(1, { Expiration: new Date(Date.now() + 3_600_000).toISOString() })
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24')
    put(1, { Expiration: new Date(Date.now() + 7_200_000).toISOString() })
    writeFileSync(`${folder}/subnets/.draft-1-2-3`, textOf(3))
    writeFileSync(`${folder}/subnets/10.5.3.0-24.json~`, textOf(3))
    put(2)
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.2.0-24')
  })

  test('which file is no lease, until it is one', async () => {
    writeFileSync(pathOf(1), '{')
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24')
    expect(watch.events[0]).toMatchObject({ leases: [], invalid: new Map([['10.5.1.0-24', expect.anything()]]) })
    put(1)
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.1.0-24')
    writeFileSync(pathOf(1), '{"PublicIP":7}')
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.1.0-24', 'invalid 10.5.1.0-24')
    expect(watch.events[2]).toMatchObject({ why: expect.stringContaining('PublicIP') })
  })

  test('the end of a lease when it comes, and not that of one which was renewed', async () => {
    const soon = Date.now() + 400
    put(1, { Expiration: new Date(soon).toISOString() })
    put(2, { Expiration: new Date(soon).toISOString() })
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24 10.5.2.0-24')
    put(2, { Expiration: new Date(soon + 3_600_000).toISOString() })
    await told(watch, 'all 10.5.1.0-24 10.5.2.0-24', 'gone 10.5.1.0-24')
    expect(Date.now()).toBeGreaterThanOrEqual(soon)
    expect(existsSync(pathOf(1))).toBe(true)
  })

  test('no lease whose end has passed, until it is taken anew', async () => {
    put(1, { Expiration: '2020-01-01T00:00:00Z' })
    const watch = watching()
    await told(watch, 'all ')
    put(1, { Expiration: new Date(Date.now() + 3_600_000).toISOString() })
    await told(watch, 'all ', 'set 10.5.1.0-24')
  })

  test('a lease that ends in more than the longest timer is able to wait for', async () => {
    put(1, { Expiration: '2200-01-01T00:00:00Z' })
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24')
    put(2)
    await told(watch, 'all 10.5.1.0-24', 'set 10.5.2.0-24')
  })
})

describe('watch() ends', () => {
  test('when it is told to', async () => {
    const watch = watching()
    await told(watch, 'all ')
    ended.abort()
    await expect(watch.end).resolves.toBeUndefined()
    put(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(watch.words()).toEqual(['all '])
  })

  test('at once when it was told to before', async () => {
    ended.abort()
    await expect(watching().end).resolves.toBeUndefined()
  })

  test('with a StoreError when the folder is not there', async () => {
    rmSync(`${folder}/subnets`, { recursive: true })
    await expect(watching().end).rejects.toThrow(StoreError)
    await expect(watching().end).rejects.toThrow('it is not there: make it, mount it, or name another folder')
  })

  test('not, in a folder that has a network configuration and no leases yet', async () => {
    rmSync(`${folder}/subnets`, { recursive: true })
    writeFileSync(`${folder}/config.json`, '{}')
    const store = openFileStore({ folder })
    const events: string[] = []
    const end = store.watch((event) => events.push(wordOf(event)), ended.signal)
    await vi.waitFor(() => expect(events).toEqual(['all ']))
    rmSync(`${folder}/subnets`, { recursive: true })
    await expect(end).rejects.toThrow(StoreError)
    await expect(store.watch(() => undefined, ended.signal)).rejects.toThrow(StoreError)
  })

  test.for<[name: string, act: () => void]>([
    ['removed', () => rmSync(`${folder}/subnets`, { recursive: true })],
    ['moved away', () => renameSync(`${folder}/subnets`, `${folder}/other`)],
    [
      'another',
      () => {
        renameSync(`${folder}/subnets`, `${folder}/other`)
        mkdirSync(`${folder}/subnets`)
      },
    ],
  ])('with a StoreError when the folder is %s; the next reads what is there then', async ([, act]) => {
    put(1)
    const watch = watching()
    await told(watch, 'all 10.5.1.0-24')
    act()
    await expect(watch.end).rejects.toThrow(StoreError)
    expect(watch.words()).not.toContain('all ')
    mkdirSync(`${folder}/subnets`, { recursive: true })
    put(2)
    await told(watching(), 'all 10.5.2.0-24')
  })

  test('with what the listener throws', async () => {
    const end = openFileStore({ folder }).watch(() => {
      throw new Error('no room')
    }, ended.signal)
    await expect(end).rejects.toThrow('no room')
  })
})

describe('a node', () => {
  const conf = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.10.0"}')
  const claim: Claim = { publicIP: parseIp('192.0.2.1'), backendType: 'host-gw', data: {}, v6Data: {}, previous: [] }

  test('reads the configuration, takes a lease, sees it, renews it, and loses it', async () => {
    writeFileSync(`${folder}/config.json`, '{"Network":"10.5.0.0/16"}')
    const store = openFileStore({ folder })
    expect(await store.readNetConf(ended.signal)).toBe('{"Network":"10.5.0.0/16"}')
    const watch = watching()
    const own = await store.acquire(claim, conf, ended.signal)
    await told(watch, 'all ', 'set 10.5.10.0-24')
    const renewed = await store.renew(own, claim, ended.signal)
    expect(renewed.expires).toBeGreaterThanOrEqual(own.expires ?? Number.POSITIVE_INFINITY)
    expect(readFileSync(pathOf(10), 'utf8')).toContain(new Date(renewed.expires ?? 0).toISOString())
    unlinkSync(pathOf(10))
    await expect(store.renew(own, claim, ended.signal)).rejects.toThrow(LeaseLost)
    store.close()
  })
})

test('5,000 leases are there in no time', async () => {
  const nameOf = (n: number): string => `10.${100 + (n >> 8)}.${n & 255}.0-24.json`
  for (let n = 0; n < 5000; n++) writeFileSync(`${folder}/subnets/${nameOf(n)}`, textOf(n & 127))
  const before = process.cpuUsage()
  const watch = watching()
  await vi.waitFor(() => expect(watch.events).toHaveLength(1), { timeout: 10_000, interval: 1 })
  expect(watch.events[0]?.kind === 'all' ? watch.events[0].leases : []).toHaveLength(5000)
  // of the processor, in ms: 110 in the executable, 250 under Node
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000)
})
