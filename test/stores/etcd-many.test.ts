/** The etcd store and many: nodes that ask at once, and leases. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { openClient } from '../../agent/store/etcd/client.ts'
import { TXN } from '../../agent/store/etcd/messages.ts'
import { openEtcdStore } from '../../agent/store/etcd.ts'
import { type Claim, type OwnLease, StoreError } from '../../agent/store/store.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import { type Etcd, startEtcd, storeOptions } from './etcd-server.ts'
import { watchStore } from './watching.ts'

const SUBNETS = '/coreos.com/network/subnets'

let etcd: Etcd
beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd.kill())
beforeEach(() => {
  etcd.control('del', '--prefix', '')
})

const claimOf = (n: number): Claim => ({
  publicIP: parseIp(`192.0.2.${n}`),
  publicIPv6: parseIp(`2001:db8::${n}`),
  backendType: 'host-gw',
  data: {},
  v6Data: {},
  previous: [],
})
const valueOfNode = (n: number): string => `{"PublicIP":"192.0.2.${n}","PublicIPv6":null,"BackendType":"host-gw"}`
const keys = (): readonly string[] =>
  etcd
    .control('get', '--prefix', '--keys-only', SUBNETS)
    .split('\n')
    .filter((line) => line !== '')

describe('nodes that ask at once', () => {
  const race = async (count: number, conf: NetConf): Promise<readonly (OwnLease | Error)[]> => {
    const stores = Array.from({ length: count }, () => openEtcdStore(storeOptions(etcd.url)))
    const answers = stores.map((each, i) =>
      each.acquire(claimOf(i + 1), conf, new AbortController().signal).catch((error) => error),
    )
    const settled = await Promise.all(answers)
    for (const each of stores) each.close()
    return settled
  }
  const leasesOf = (answers: readonly (OwnLease | Error)[]): readonly OwnLease[] =>
    answers.filter((answer): answer is OwnLease => !(answer instanceof Error))

  test('get a subnet each while there are any: 20 for 12', async () => {
    const conf = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.21.0"}')
    const answers = await race(20, conf)
    const subnets = leasesOf(answers).map(({ lease }) => lease.subnet)
    expect(subnets).toHaveLength(12)
    expect(new Set(subnets).size).toBe(12)
    expect(keys()).toHaveLength(12)
    for (const error of answers.filter((answer) => answer instanceof Error)) {
      expect(error).toBeInstanceOf(StoreError)
      expect(error.message).toMatch(/no subnet is free|another node was faster/)
    }
    expect(new Set(etcd.control('lease', 'list').split('\n').slice(1)).size).toBeGreaterThanOrEqual(12)
  })

  test('get no IPv4 subnet twice, with whatever IPv6 subnet', async () => {
    const conf = parseNetConf(
      '{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.15.0","EnableIPv6":true,"IPv6Network":"fd00::/48"}',
    )
    const leases = leasesOf(await race(12, conf)).map(({ lease }) => lease)
    expect(leases.length).toBeGreaterThan(0)
    expect(new Set(leases.map(({ subnet }) => subnet)).size).toBe(leases.length)
    expect(new Set(leases.map(({ ipv6Subnet }) => ipv6Subnet)).size).toBe(leases.length)
    expect(keys()).toHaveLength(leases.length)
  })
})

/** By our own client: etcdctl takes a process for each. */
const putAll = async (count: number): Promise<void> => {
  const { etcdEndpoints: endpoints } = storeOptions(etcd.url)
  const client = openClient({
    ...{ endpoints, cafile: '', certfile: '', keyfile: '', username: '', password: '' },
    keepalive: { time: 3000, timeout: 3000 },
    patience: 10_000,
  })
  const opOf = (n: number) => ({
    request_put: { key: `${SUBNETS}/10.${100 + (n >> 8)}.${n & 255}.0-24`, value: valueOfNode(n & 127) },
  })
  for (let from = 0; from < count; from += 100) {
    const success = Array.from({ length: 100 }, (_, i) => opOf(from + i))
    await client.call(TXN, { success }, 'write leases', new AbortController().signal)
  }
  client.close()
}

test('5,000 leases are told one by one as they come, and at once afterwards', async () => {
  const stores = [openEtcdStore(storeOptions(etcd.url)), openEtcdStore(storeOptions(etcd.url))] as const
  const watch = watchStore(stores[0])
  await watch.told('all')
  await putAll(5000)
  await expect.poll(() => watch.events.length, { timeout: 20_000 }).toBe(5001)
  expect(watch.events.slice(1).every(({ kind }) => kind === 'set')).toBe(true)
  const other = watchStore(stores[1])
  await expect.poll(() => other.events.length, { timeout: 20_000 }).toBe(1)
  const [all] = other.events
  expect(all?.kind === 'all' ? [all.leases.length, all.invalid.size] : []).toEqual([5000, 0])
  await Promise.all([watch.stop(), other.stop()])
  for (const store of stores) store.close()
})
