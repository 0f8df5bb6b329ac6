/** Leases in a real etcd, one write at a time: nothing is written over what another has written since. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { type EtcdClient, openClient } from '../../agent/store/etcd/client.ts'
import { keysOf } from '../../agent/store/etcd/keys.ts'
import { type EtcdTable, type HeldKey, openTable } from '../../agent/store/etcd/table.ts'
import type { Lease } from '../../overlay/lease.ts'
import { parseLeaseKey } from '../../overlay/lease-key.ts'
import { type Etcd, startEtcd } from './etcd-server.ts'

const KEY = '10.5.1.0-24'
const PATH = `/coreos.com/network/subnets/${KEY}`
const OTHERS = '{"PublicIP":"192.0.2.9","PublicIPv6":null,"BackendType":"host-gw"}'
const OWN = '{"PublicIP":"192.0.2.1","PublicIPv6":null,"BackendType":"host-gw"}'
const LEASE: Lease = {
  key: KEY,
  ...parseLeaseKey(KEY),
  publicIP: parseIp('192.0.2.1'),
  backendType: 'host-gw',
  data: {},
  v6Data: {},
}

let etcd: Etcd
let client: EtcdClient
let table: EtcdTable
beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd.kill())
beforeEach(() => {
  etcd.control('del', '--prefix', '')
  client = openClient({
    ...{ endpoints: etcd.url, cafile: '', certfile: '', keyfile: '', username: '', password: '' },
    ...{ keepalive: { time: 3000, timeout: 3000 }, patience: 10_000 },
  })
  table = openTable(client, keysOf('/coreos.com/network'), new AbortController().signal)
})
afterEach(() => client.close())

const value = (): string => etcd.control('get', '--print-value-only', PATH)
/** The etcd leases that there are. */
const terms = (): string => etcd.control('lease', 'list')
const held = async (): Promise<HeldKey> => {
  const { leases } = await table.list()
  return leases[0] as HeldKey
}
const grant = (): string => /lease ([0-9a-f]+) /.exec(etcd.control('lease', 'grant', '600'))?.[1] ?? ''

test('create() does not write over a key, and leaves no etcd lease behind', async () => {
  etcd.control('put', PATH, OTHERS)
  const before = terms()
  expect(await table.create(LEASE)).toBeUndefined()
  expect(value()).toBe(OTHERS)
  expect(terms()).toBe(before)
})

test('update() writes what is as it was read', async () => {
  etcd.control('put', `--lease=${grant()}`, PATH, OWN)
  expect(await table.update(await held(), { ...LEASE, backendType: 'ipip' })).toMatchObject({ lease: { key: KEY } })
  expect(value()).toBe(OWN.replace('host-gw', 'ipip'))
})

test.for<[name: string, flags: () => readonly string[]]>([
  ['a lease', () => [`--lease=${grant()}`]],
  ['a reservation', () => []],
])(
  'update() does not write over %s that another has written since, and leaves no etcd lease behind',
  async ([, flags]) => {
    etcd.control('put', ...flags(), PATH, OWN)
    const read = await held()
    etcd.control('put', PATH, OTHERS)
    const before = terms()
    expect(await table.update(read, LEASE)).toBeUndefined()
    expect(value()).toBe(OTHERS)
    expect(terms()).toBe(before)
  },
)

test('update() does not bring back what was removed', async () => {
  etcd.control('put', PATH, OWN)
  const read = await held()
  etcd.control('del', PATH)
  expect(await table.update(read, LEASE)).toBeUndefined()
  expect(value()).toBe('')
})

test('remove() removes what is as it was read, and nothing else', async () => {
  etcd.control('put', PATH, OWN)
  const read = await held()
  etcd.control('put', PATH, OTHERS)
  await table.remove(read)
  expect(value()).toBe(OTHERS)
  await table.remove(await held())
  expect(value()).toBe('')
})
