/** The etcd store against a real etcd: what flanneld has written is read, and what it would write is written. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { parseIp } from '../../addr/ip.ts'
import { parseMac } from '../../addr/mac.ts'
import { openEtcdStore } from '../../agent/store/etcd.ts'
import { type Claim, LeaseLost, type LeaseStore, type OwnLease, StoreError } from '../../agent/store/store.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import { type Etcd, startEtcd, storeOptions } from './etcd-server.ts'
import { watchStore } from './watching.ts'

const SUBNETS = '/coreos.com/network/subnets'
const CONF = parseNetConf('{"Network":"10.5.0.0/16"}')
const DUAL = parseNetConf('{"Network":"10.5.0.0/16","EnableIPv6":true,"IPv6Network":"fd00::/48"}')

/** flannel Documentation/reservations.md, the output of `etcdctl get /coreos.com/network/subnets/10.5.52.0-24`. */
const FLANNELS =
  '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'
const CLAIM: Claim = {
  publicIP: parseIp('192.168.64.3'),
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: parseMac('c6:d2:32:6f:8f:44') },
  v6Data: {},
  previous: [parseCidr('10.5.52.1/24')],
}
/** What flannel's Go types give for a node of both families: pkg/lease `LeaseAttrs`, pkg/subnet `MakeSubnetKey`. */
const FLANNELS_DUAL =
  '{"PublicIP":"192.168.64.3","PublicIPv6":"2001:db8::3","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:45"}}'

const valueOfNode = (n: number): string => `{"PublicIP":"192.0.2.${n}","PublicIPv6":null,"BackendType":"host-gw"}`

let etcd: Etcd
let store: LeaseStore
const { signal } = new AbortController()
beforeAll(async () => {
  etcd = await startEtcd()
})
beforeEach(() => {
  etcd.control('del', '--prefix', '')
  store = openEtcdStore(storeOptions(etcd.url))
})
afterEach(() => store.close())

const valueAt = (key: string): string => etcd.control('get', '--print-value-only', `${SUBNETS}/${key}`)
const keys = (): readonly string[] =>
  etcd
    .control('get', '--prefix', '--keys-only', SUBNETS)
    .split('\n')
    .filter((line) => line !== '')
const put = (key: string, value: string, ...more: readonly string[]): string =>
  etcd.control('put', ...more, `${SUBNETS}/${key}`, value)
/** The etcd lease that a key goes with, in hex; '0' for none. */
const termOf = (key: string): string => {
  const { kvs } = JSON.parse(
    etcd.control('get', '-w', 'json', `${SUBNETS}/${key}`).replace(/("lease":)(\d+)/, '$1"$2"'),
  )
  return BigInt(kvs[0].lease ?? 0).toString(16)
}
const grant = (seconds: number): string =>
  /lease ([0-9a-f]+) /.exec(etcd.control('lease', 'grant', `${seconds}`))?.[1] ?? ''
const acquire = (claim = CLAIM, conf: NetConf = CONF): Promise<OwnLease> => store.acquire(claim, conf, signal)
const DAY = 24 * 60 * 60

describe('readNetConf()', () => {
  test('is the text under config', async () => {
    const text = '{"Network": "10.5.0.0/16", "Backend": {"Type": "vxlan"}}'
    etcd.control('put', '/coreos.com/network/config', text)
    expect(await store.readNetConf(signal)).toBe(text)
  })

  test('says how to write one when there is none', async () => {
    await expect(store.readNetConf(signal)).rejects.toThrow(StoreError)
    await expect(store.readNetConf(signal)).rejects.toThrow('etcdctl put /coreos.com/network/config')
  })

  test('takes a prefix as flanneld does', async () => {
    etcd.control('put', '/vxlan/network/config', '{}')
    const other = openEtcdStore(storeOptions(etcd.url, { etcdPrefix: '/vxlan//network/' }))
    expect(await other.readNetConf(signal)).toBe('{}')
    other.close()
  })
})

describe('acquire() writes what flanneld writes', () => {
  test('for IPv4, with a term of a day', async () => {
    const before = Date.now()
    const own = await acquire()
    expect(own.lease).toMatchObject({ key: '10.5.52.0-24', subnet: '10.5.52.0/24', publicIP: '192.168.64.3' })
    expect(own.expires).toBeGreaterThanOrEqual(before + DAY * 1000)
    expect(own.expires).toBeLessThanOrEqual(Date.now() + DAY * 1000)
    expect(keys()).toEqual([`${SUBNETS}/10.5.52.0-24`])
    expect(valueAt('10.5.52.0-24')).toBe(FLANNELS)
    expect(etcd.control('lease', 'timetolive', termOf('10.5.52.0-24'))).toContain(`granted with TTL(${DAY}s)`)
  })

  test('for both families', async () => {
    const claim: Claim = {
      ...CLAIM,
      publicIPv6: parseIp('2001:db8::3'),
      v6Data: { vni: 1, vtepMac: parseMac('c6:d2:32:6f:8f:45') },
      previous: [parseCidr('10.5.52.1/24'), parseCidr('fd00:0:0:7::1/64')],
    }
    await acquire(claim, DUAL)
    expect(keys()).toEqual([`${SUBNETS}/10.5.52.0-24&fd00:0:0:7::-64`])
    expect(valueAt('10.5.52.0-24&fd00:0:0:7::-64')).toBe(FLANNELS_DUAL)
  })
})

describe('acquire() of a node that flanneld was on', () => {
  test('takes its lease over, key and all, for another day', async () => {
    const term = grant(60)
    put('10.5.77.0-24', FLANNELS.replace('c6:d2', '0e:11'), `--lease=${term}`)
    expect((await acquire()).lease.key).toBe('10.5.77.0-24')
    expect(valueAt('10.5.77.0-24')).toBe(FLANNELS)
    expect(termOf('10.5.77.0-24')).not.toBe(term)
    expect(etcd.control('lease', 'timetolive', termOf('10.5.77.0-24'))).toContain(`granted with TTL(${DAY}s)`)
  })

  test('leaves a reservation one, when it is renewed too', async () => {
    put('10.5.77.0-24', FLANNELS)
    const own = await acquire()
    expect(own).toMatchObject({ lease: { key: '10.5.77.0-24' } })
    expect(own).not.toHaveProperty('expires')
    expect(await store.renew(own, CLAIM, signal)).not.toHaveProperty('expires')
    expect(termOf('10.5.77.0-24')).toBe('0')
  })

  test('replaces a lease outside the network', async () => {
    put('10.9.77.0-24', FLANNELS)
    await acquire()
    expect(keys()).toEqual([`${SUBNETS}/10.5.52.0-24`])
  })

  test('takes another subnet when the one before is taken, by a lease that does not decode too', async () => {
    put('10.5.52.0-24', 'no JSON')
    const { lease } = await acquire()
    expect(lease.key).not.toBe('10.5.52.0-24')
    expect(valueAt('10.5.52.0-24')).toBe('no JSON')
  })
})

describe('watch() tells', () => {
  test('leases as flanneld writes them, and as it removes them', async () => {
    put('10.5.1.0-24', FLANNELS)
    const watch = watchStore(store)
    await watch.told('all 10.5.1.0-24')
    put('10.5.2.0-24&fd00:0:0:2::-64', FLANNELS_DUAL)
    put('10.5.3.0-24', '{"PublicIP":"192.0.2.3","PublicIPv6":null,"BackendType":"host-gw"}')
    put('10.5.3.0-24', '{"PublicIP":"192.0.2.4","PublicIPv6":null,"BackendType":"host-gw"}')
    etcd.control('del', `${SUBNETS}/10.5.1.0-24`)
    await watch.told(
      'all 10.5.1.0-24',
      'set 10.5.2.0-24&fd00:0:0:2::-64 192.168.64.3',
      'set 10.5.3.0-24 192.0.2.3',
      'set 10.5.3.0-24 192.0.2.4',
      'gone 10.5.1.0-24',
    )
    expect(watch.events[1]).toMatchObject({
      lease: {
        subnet: '10.5.2.0/24',
        ipv6Subnet: 'fd00:0:0:2::/64',
        publicIPv6: '2001:db8::3',
        data: { vni: 1, vtepMac: 'c6:d2:32:6f:8f:44' },
        v6Data: { vni: 1, vtepMac: 'c6:d2:32:6f:8f:45' },
      },
    })
    await watch.stop()
  })

  test('what is no lease, by its key, until it is one', async () => {
    put('10.5.1.0-24', '{"PublicIP":"nobody"}')
    const watch = watchStore(store)
    await watch.told('all !10.5.1.0-24')
    put('10.5.1.0-24', valueOfNode(1))
    put('gibberish', valueOfNode(2))
    await watch.told('all !10.5.1.0-24', 'set 10.5.1.0-24 192.0.2.1', 'invalid gibberish')
    expect(watch.events[2]).toMatchObject({ why: expect.stringContaining(`${SUBNETS}/gibberish`) })
    await watch.stop()
  })

  test('nothing of keys beside the leases', async () => {
    etcd.control('put', '/coreos.com/network/subnets-old/10.5.1.0-24', valueOfNode(1))
    const watch = watchStore(store)
    await watch.told('all')
    etcd.control('put', '/coreos.com/network/config', '{}')
    etcd.control('put', '/coreos.com/network/subnets-old/10.5.1.0-24', valueOfNode(1))
    put('10.5.2.0-24', valueOfNode(2))
    await watch.told('all', 'set 10.5.2.0-24 192.0.2.2')
    await watch.stop()
  })

  test('the own lease too', async () => {
    const watch = watchStore(store)
    await watch.told('all')
    await acquire()
    await watch.told('all', 'set 10.5.52.0-24 192.168.64.3')
    await watch.stop()
  })

  test('the end of a lease that nobody renews', async () => {
    put('10.5.1.0-24', valueOfNode(1), `--lease=${grant(1)}`)
    const watch = watchStore(store)
    await watch.told('all 10.5.1.0-24', 'gone 10.5.1.0-24')
    await watch.stop()
  })
})

describe('renew()', () => {
  test('gives another day, as a new etcd lease, and what the claim says now', async () => {
    const own = await acquire()
    const before = termOf(own.lease.key)
    const claim: Claim = { ...CLAIM, data: { vni: 1, vtepMac: parseMac('0e:00:00:00:00:99') } }
    const renewed = await store.renew(own, claim, signal)
    expect(renewed.expires).toBeGreaterThanOrEqual(own.expires ?? Number.POSITIVE_INFINITY)
    expect(renewed.lease.data.vtepMac).toBe('0e:00:00:00:00:99')
    expect(valueAt(own.lease.key)).toBe(FLANNELS.replace('c6:d2:32:6f:8f:44', '0e:00:00:00:00:99'))
    expect(termOf(own.lease.key)).not.toBe(before)
  })

  test('keeps the subnet of a node whose address is another one now', async () => {
    const own = await acquire()
    const claim: Claim = { ...CLAIM, publicIP: parseIp('192.168.64.77') }
    expect(await store.renew(own, claim, signal)).toMatchObject({
      lease: { key: own.lease.key, publicIP: '192.168.64.77' },
    })
    expect(keys()).toHaveLength(1)
  })

  test.for<[name: string, spoil: (key: string) => unknown, why: string]>([
    ['its etcd lease is revoked', (key) => etcd.control('lease', 'revoke', termOf(key)), 'not in etcd any more'],
    ['it is removed', (key) => etcd.control('del', `${SUBNETS}/${key}`), 'not in etcd any more'],
    ["it is another's", (key) => put(key, valueOfNode(9)), 'now that of 192.0.2.9'],
    ['it does not decode', (key) => put(key, '{'), 'is one no more'],
  ])('throws LeaseLost when %s; then another can be had', async ([, spoil, why]) => {
    const own = await acquire()
    spoil(own.lease.key)
    await expect(store.renew(own, CLAIM, signal)).rejects.toThrow(LeaseLost)
    await expect(store.renew(own, CLAIM, signal)).rejects.toThrow(why)
    expect((await acquire()).lease.publicIP).toBe('192.168.64.3')
  })

  test('throws LeaseLost when its time has passed', async () => {
    const own = await acquire()
    put(own.lease.key, FLANNELS, `--lease=${grant(1)}`)
    await expect.poll(() => keys(), { timeout: 20_000 }).toEqual([])
    await expect(store.renew(own, CLAIM, signal)).rejects.toThrow(LeaseLost)
  })
})
