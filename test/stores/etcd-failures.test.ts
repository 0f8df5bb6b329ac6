/** What the etcd store does when etcd dies, hangs, forgets, or is put back. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { type EtcdStoreOptions, openEtcdStore } from '../../agent/store/etcd.ts'
import { type Claim, type LeaseStore, StoreError } from '../../agent/store/store.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { type Etcd, startEtcd, storeOptions } from './etcd-server.ts'
import { type Gate, openGate } from './gate.ts'
import { watchStore } from './watching.ts'

const CONF = parseNetConf('{"Network":"10.5.0.0/16"}')
const CLAIM: Claim = { publicIP: parseIp('192.0.2.1'), backendType: 'host-gw', data: {}, v6Data: {}, previous: [] }
const { signal } = new AbortController()

let etcd: Etcd
let gates: readonly [Gate, Gate]
beforeAll(async () => {
  etcd = await startEtcd()
  gates = [await openGate(etcd.port), await openGate(etcd.port)]
})
let opened: LeaseStore[] = []
beforeEach(() => {
  for (const gate of gates) gate.open()
  etcd.control('del', '--prefix', '')
})
afterEach(() => {
  for (const store of opened.splice(0)) store.close()
})
afterAll(() => etcd.kill())

const open = (urls: string, more: Partial<EtcdStoreOptions> = {}): LeaseStore => {
  const store = openEtcdStore(storeOptions(urls, more))
  opened = [...opened, store]
  return store
}
const both = (): string => gates.map(({ url }) => url).join(',')
const put = (n: number, node = n): string =>
  etcd.control(
    'put',
    `/coreos.com/network/subnets/10.5.${n}.0-24`,
    `{"PublicIP":"192.0.2.${node}","PublicIPv6":null,"BackendType":"host-gw"}`,
  )
const del = (n: number): string => etcd.control('del', `/coreos.com/network/subnets/10.5.${n}.0-24`)
const compact = (): void => {
  const [{ Status }] = JSON.parse(etcd.control('endpoint', 'status', '-w', 'json'))
  etcd.control('compaction', String(Status.header.revision))
}

/** How long `act` took, in ms. */
const timed = async (act: () => Promise<unknown>): Promise<number> => {
  const started = performance.now()
  await act()
  return performance.now() - started
}

describe('with one endpoint', () => {
  test('a watch ends soon after etcd was killed; the next tells everything there is then', async () => {
    put(1)
    put(2)
    const store = open(etcd.url)
    const watch = watchStore(store)
    await watch.told('all 10.5.1.0-24 10.5.2.0-24')
    await etcd.kill()
    await expect(watch.end).rejects.toThrow(StoreError)
    await expect(store.watch(() => undefined, signal)).rejects.toThrow(`etcd does not answer: ${etcd.url} (`)
    await expect(store.acquire(CLAIM, CONF, signal)).rejects.toThrow(StoreError)
    await etcd.start()
    del(1)
    put(3)
    const again = watchStore(store)
    await again.told('all 10.5.2.0-24 10.5.3.0-24')
    put(4)
    await again.told('all 10.5.2.0-24 10.5.3.0-24', 'set 10.5.4.0-24 192.0.2.4')
    await again.stop()
  })

  test('a watch ends in bounded time when etcd hangs and its connections stay', async () => {
    const watch = watchStore(open(etcd.url, { patience: 1000, keepalive: { time: 500, timeout: 500 } }))
    await watch.told('all')
    etcd.freeze()
    try {
      const took = await timed(() => expect(watch.end).rejects.toThrow(StoreError))
      // half a second until it is asked, as long for the answer, a second for another connection
      expect(took).toBeGreaterThan(400)
      expect(took).toBeLessThan(15_000)
    } finally {
      etcd.thaw()
    }
  })

  test('a call ends in bounded time when etcd hangs', async () => {
    etcd.freeze()
    try {
      const store = open(etcd.url, { patience: 300 })
      await expect(store.readNetConf(signal)).rejects.toThrow(`etcd does not answer: ${etcd.url} (`)
    } finally {
      etcd.thaw()
    }
  })

  test('a connection that is cut is taken up again without reading all', async () => {
    const [gate] = gates
    const watch = watchStore(open(gate.url))
    await watch.told('all')
    put(1)
    await watch.told('all', 'set 10.5.1.0-24 192.0.2.1')
    gate.hold()
    gate.cut()
    put(2)
    del(1)
    gate.open()
    put(3)
    await watch.told(
      'all',
      'set 10.5.1.0-24 192.0.2.1',
      'set 10.5.2.0-24 192.0.2.2',
      'gone 10.5.1.0-24',
      'set 10.5.3.0-24 192.0.2.3',
    )
    await watch.stop()
  })

  test('a call on a connection that has died meanwhile is made on another', async () => {
    const [gate] = gates
    etcd.control('put', '/coreos.com/network/config', '{}')
    const store = open(gate.url)
    await store.readNetConf(signal)
    gate.cut()
    expect(await store.readNetConf(signal)).toBe('{}')
  })

  test('a call that is aborted ends with what aborted it', async () => {
    const [gate] = gates
    gate.hold()
    const ended = new AbortController()
    const call = open(gate.url).readNetConf(ended.signal)
    ended.abort(new Error('the agent ends'))
    await expect(call).rejects.toThrow('the agent ends')
  })

  test('a watch that is aborted before it began resolves', async () => {
    const [gate] = gates
    gate.hold()
    const watch = watchStore(open(gate.url))
    await expect(watch.stop()).resolves.toBeUndefined()
  })
})

describe('with two endpoints', () => {
  test('calls and watches go to the other when one is gone, and nothing is told twice or left out', async () => {
    const [first, second] = gates
    const store = open(both())
    const watch = watchStore(store)
    await watch.told('all')
    first.shut()
    put(1)
    await watch.told('all', 'set 10.5.1.0-24 192.0.2.1')
    expect(await store.acquire(CLAIM, CONF, signal)).toMatchObject({ lease: { key: '10.5.1.0-24' } })
    first.open()
    second.shut()
    put(2)
    await watch.told('all', 'set 10.5.1.0-24 192.0.2.1', 'set 10.5.1.0-24 192.0.2.1', 'set 10.5.2.0-24 192.0.2.2')
    await watch.stop()
  })

  test('an endpoint that does not answer is passed over', async () => {
    gates[0].hold()
    etcd.control('put', '/coreos.com/network/config', '{}')
    expect(await open(both(), { patience: 300 }).readNetConf(signal)).toBe('{}')
  })

  test('all is read again when what came meanwhile has been compacted', async () => {
    const [first, second] = gates
    put(1)
    put(2)
    const watch = watchStore(open(both()))
    await watch.told('all 10.5.1.0-24 10.5.2.0-24')
    second.hold()
    first.shut()
    del(1)
    put(3)
    put(2, 9)
    compact()
    second.open()
    await watch.told('all 10.5.1.0-24 10.5.2.0-24', 'all 10.5.2.0-24 10.5.3.0-24')
    expect(watch.events[1]).toMatchObject({ leases: [{ publicIP: '192.0.2.9' }, { publicIP: '192.0.2.3' }] })
    put(4)
    await watch.told('all 10.5.1.0-24 10.5.2.0-24', 'all 10.5.2.0-24 10.5.3.0-24', 'set 10.5.4.0-24 192.0.2.4')
    await watch.stop()
  })

  test('all is read again when etcd was put back to an earlier state', async () => {
    const [first, second] = gates
    for (const n of [1, 2, 3, 4, 5]) put(n)
    const watch = watchStore(open(both(), { patience: 20_000 }))
    await watch.told('all 10.5.1.0-24 10.5.2.0-24 10.5.3.0-24 10.5.4.0-24 10.5.5.0-24')
    second.hold()
    first.shut()
    await etcd.kill()
    await etcd.start(true)
    put(7)
    second.open()
    await expect.poll(() => watch.words().at(-1), { timeout: 20_000 }).toBe('all 10.5.7.0-24')
    await watch.stop()
  })
})
