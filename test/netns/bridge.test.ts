/** `bridge` through the built executable, with packets:
 *
 *     outside ===== node [ cni0 10.9.0.1/24 fd00:9::1/64 ] ===== pod0 .2  pod1 .3 */
import { expect, test } from 'vitest'
import { attaching, hostLocal } from '../support/attachment.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { ipJson, runIn, shellIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, OUTSIDE_IPV4, OUTSIDE_IPV6 } from '../support/node.ts'
import { binDir, callPlugin } from '../support/plugin.ts'
import { ask, listen, ping } from '../support/probe.ts'

const gateway = (folder: { folder: string }, more: object = {}) => ({
  type: 'bridge',
  isDefaultGateway: true,
  ipam: hostLocal(folder as never),
  ...more,
})

test('bridge joins two pods in both families, CHECK agrees, and DEL and GC leave nothing', () => {
  const bed = makeNode(2)
  const before = snapshot(bed.node)
  const [a, b] = [attaching(bed, gateway(bed), 0), attaching(bed, gateway(bed), 1)]
  const result = a.add()
  expect(result.ips.map(({ address }) => address)).toEqual(['10.9.0.2/24', 'fd00:9::2/64'])
  b.add()
  const [pod0 = '', pod1 = ''] = bed.pods
  expect([
    ping(pod0, '10.9.0.3'),
    ping(pod1, 'fd00:9::2'),
    ping(bed.node, '10.9.0.2'),
    ping(bed.node, 'fd00:9::2'),
  ]).toEqual([true, true, true, true])
  expect(a.check(result).status).toBe(0)
  for (const attachment of [a, b, a]) expect(attachment.del().status).toBe(0)
  expect(a.gc([]).status).toBe(0)
  expect(
    difference(before, snapshot(bed.node)).filter((line) => !/sysctl.*(ip_forward|forwarding) [01]$/.test(line)),
  ).toEqual([])
})

test.for([
  ['tcp', OUTSIDE_IPV4, NODE_IPV4],
  ['udp', OUTSIDE_IPV6, NODE_IPV6],
] as const)(
  'bridge with ipMasq: the outside sees the node over %s of %s, its own subnet sees the pod',
  ([protocol, to, seen]) => {
    const bed = makeNode(2)
    const [a, b] = [
      attaching(bed, gateway(bed, { ipMasq: true }), 0),
      attaching(bed, gateway(bed, { ipMasq: true }), 1),
    ]
    const result = a.add()
    const other = b.add()
    const [pod0 = '', pod1 = ''] = bed.pods
    const stops = [listen(bed.outside, 'web', 8080), listen(pod1, 'pod1', 8080)]
    expect(ask({ from: pod0, to, port: 8080, protocol })).toBe(`web ${seen}`)
    const own = to === OUTSIDE_IPV4 ? 0 : 1
    const neighbour = other.ips[own]?.address.split('/')[0] ?? ''
    expect(ask({ from: pod0, to: neighbour, port: 8080, protocol })).toBe(
      `pod1 ${result.ips[own]?.address.split('/')[0]}`,
    )
    for (const stop of stops) stop()
  },
)

test.for(['nftables', 'iptables'])(
  'bridge with ipMasq by %s: CHECK finds its rules gone, DEL leaves none of them',
  (ipMasqBackend) => {
    const bed = makeNode(1)
    const a = attaching(bed, gateway(bed, { ipMasq: true, ipMasqBackend }))
    const rules = () =>
      snapshot(bed.node).filter(
        (line) => /10\.9\.0\.2\b|fd00:9::2\b/.test(line) && /^(nft|iptables|ip6tables)/.test(line),
      )
    const result = a.add()
    expect(rules()).not.toEqual([])
    expect(a.check(result).status).toBe(0)
    shellIn(bed.node, ipMasqBackend === 'nftables' ? 'nft flush ruleset' : 'iptables -t nat -F')
    expect(a.check(result).json).toMatchObject({ code: 100 })
    expect(a.del(result).status).toBe(0)
    expect(rules()).toEqual([])
  },
)

test.for([
  ['with prevResult', true],
  ['without prevResult', false],
] as const)('DEL %s and with the namespace gone takes link, masquerade, spoof check and address back', ([, sent]) => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed, { ipMasq: true, macspoofchk: true }))
  const result = a.add()
  runIn(bed.node, ['ip', 'netns', 'del', bed.pods[0] ?? ''])
  expect(a.del(sent ? result : undefined).status).toBe(0)
  const left = snapshot(bed.node, [`${bed.folder}/ipam`]).filter(
    (line) => /10\.9\.0\.2\b|fd00:9::2\b|net\/c0\/eth0/.test(line) && !line.includes('last_reserved_ip'),
  )
  expect(left).toEqual([])
})

test('bridge refuses an interface that exists and changes nothing', () => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed))
  shellIn(bed.pods[0] ?? '', 'ip link add eth0 type bridge')
  const before = snapshot(bed.node, [bed.folder])
  expect(a.call('ADD').json).toMatchObject({ code: 103, msg: expect.stringContaining('eth0 exists already') })
  expect(difference(before, snapshot(bed.node, [bed.folder]))).toEqual([])
})

test('a second ADD of the same attachment fails and leaves the first one whole', () => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed, { ipMasq: true }))
  const result = a.add()
  expect(a.call('ADD').status).toBe(1)
  expect(a.check(result).status).toBe(0)
})

test('an ADD that fails after IPAM gives the address back and leaves no link', () => {
  const bed = makeNode(1)
  shellIn(bed.node, 'ip link add cni0 type bridge; ip addr add 10.77.0.1/24 dev cni0')
  const a = attaching(bed, gateway(bed))
  const before = snapshot(bed.node)
  expect(a.call('ADD').json).toMatchObject({
    code: 103,
    msg: expect.stringContaining('cni0 has the address 10.77.0.1/24'),
  })
  expect(difference(before, snapshot(bed.node)).filter((line) => line.includes('veth'))).toEqual([])
  expect(runIn(bed.node, ['find', `${bed.folder}/ipam/net`, '-name', '10.*']).stdout).toBe('')
  expect(attaching(bed, gateway(bed, { forceAddress: true })).add().ips[0]?.gateway).toBe('10.9.0.1')
})

test('an idle bridge that podwire made takes the address of a changed subnet, one with a pod does not', () => {
  const bed = makeNode(2)
  const conf = (subnet: string) => ({
    type: 'bridge',
    isGateway: true,
    ipam: { type: 'host-local', dataDir: `${bed.folder}/${subnet.slice(0, 6)}`, subnet },
  })
  const old = attaching(bed, conf('10.1.0.0/24'))
  old.add()
  old.del()
  expect(attaching(bed, conf('10.2.0.0/24')).add().ips[0]?.address).toBe('10.2.0.2/24')
  expect(attaching(bed, conf('10.3.0.0/24'), 1).call('ADD').json).toMatchObject({ code: 103 })
})

test.for([
  ['hairpinMode', { hairpinMode: true }, 'hairpin', true],
  ['portIsolation', { portIsolation: true }, 'isolated', true],
] as const)('bridge with %s sets the flag of its port, and CHECK misses it', ([, keys, flag, want]) => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed, keys))
  const result = a.add()
  const host = result.interfaces[1]?.name ?? ''
  const port = () =>
    (ipJson(bed.node, 'link', 'show', host)[0] as { linkinfo: { info_slave_data: Record<string, unknown> } }).linkinfo
      .info_slave_data
  expect(port()[flag]).toBe(want)
  shellIn(bed.node, `bridge link set dev ${host} ${flag} off`)
  expect(a.check(result).json).toMatchObject({ code: 100, msg: expect.stringContaining(flag) })
})

test('isolated ports do not hear each other, the gateway hears both', () => {
  const bed = makeNode(2)
  const conf = gateway(bed, { portIsolation: true })
  attaching(bed, conf, 0).add()
  attaching(bed, conf, 1).add()
  expect([ping(bed.pods[0] ?? '', '10.9.0.3'), ping(bed.pods[0] ?? '', '10.9.0.1')]).toEqual([false, true])
})

test('bridge with promiscMode, mtu, mac and dns does what each says', () => {
  const bed = makeNode(1)
  const a = attaching(bed, { ...gateway(bed, { promiscMode: true, mtu: 1400, dns: { nameservers: ['192.0.2.53'] } }) })
  const result = a.add({ runtimeConfig: { mac: '02:aa:bb:cc:dd:ee' }, args: { cni: { mac: '02:00:00:00:00:01' } } })
  expect(result).toMatchObject({ dns: { nameservers: ['192.0.2.53'] } })
  expect(result.interfaces[2]).toMatchObject({ mac: '02:aa:bb:cc:dd:ee', mtu: 1400 })
  expect(ipJson(bed.pods[0] ?? '', 'link', 'show', 'eth0')[0]).toMatchObject({
    address: '02:aa:bb:cc:dd:ee',
    mtu: 1400,
  })
  expect(ipJson(bed.node, 'link', 'show', 'cni0')[0]).toMatchObject({ mtu: 1400, promiscuity: 1 })
  expect(a.check(result).status).toBe(0)
})

test('bridge without IPAM is layer 2 only; with disableContainerInterface the interface stays down', () => {
  const bed = makeNode(2)
  const up = attaching(bed, { type: 'bridge' }, 0)
  expect(up.add()).not.toHaveProperty('ips')
  expect(ipJson(bed.pods[0] ?? '', 'link', 'show', 'eth0')[0]?.['flags']).toContain('UP')
  const down = attaching(bed, { type: 'bridge', disableContainerInterface: true } as { type: string }, 1)
  const result = down.add()
  expect(ipJson(bed.pods[1] ?? '', 'link', 'show', 'eth0')[0]?.['flags']).not.toContain('UP')
  expect(down.check(result).status).toBe(0)
})

test('enabledad waits until the address is usable', () => {
  const bed = makeNode(1)
  attaching(bed, gateway(bed, { enabledad: true })).add()
  const flags = ipJson(bed.pods[0] ?? '', '-6', 'addr', 'show', 'eth0', 'scope', 'global')
  expect(JSON.stringify(flags)).not.toContain('tentative')
  expect(JSON.stringify(flags)).not.toContain('nodad')
})

test('macspoofchk drops what a pod sends under another address', () => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed, { macspoofchk: true }))
  const result = a.add()
  const pod = bed.pods[0] ?? ''
  expect(ping(pod, '10.9.0.1')).toBe(true)
  shellIn(pod, 'ip link set eth0 address 02:00:00:00:00:99; ip neigh flush dev eth0')
  expect(ping(pod, '10.9.0.1')).toBe(false)
  expect(a.del(result).status).toBe(0)
})

const DRIFTS: readonly (readonly [what: string, script: string])[] = [
  ['a deleted interface', 'ip link del eth0'],
  ['an interface that is down', 'ip link set eth0 down'],
  ['a missing address', 'ip addr del 10.9.0.2/24 dev eth0'],
  ['a missing route', 'ip route del default'],
  ['another MAC', 'ip link set eth0 address 02:00:00:00:00:99'],
]

test.for(DRIFTS)('CHECK finds %s', ([, script]) => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed))
  const result = a.add()
  shellIn(bed.pods[0] ?? '', script)
  expect(a.check(result).json).toMatchObject({ code: 100 })
})

test('CHECK tolerates what chained plugins change: MTU, an extra address and route, and the MAC that prevResult names', () => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed, { mtu: 1400 }))
  const result = a.add()
  shellIn(
    bed.pods[0] ?? '',
    'ip link set eth0 mtu 1300 address 02:00:00:00:00:77; ip addr add 10.99.0.1/24 dev eth0; ip route add 10.98.0.0/16 via 10.9.0.1',
  )
  const interfaces = result.interfaces.map((entry) =>
    entry.name === 'eth0' ? { ...entry, mac: '02:00:00:00:00:77' } : entry,
  )
  expect(a.check({ ...result, interfaces }).status).toBe(0)
})

test('GC removes the attachments that are not listed and keeps the others', () => {
  const bed = makeNode(2)
  const [a, b] = [attaching(bed, gateway(bed, { ipMasq: true }), 0), attaching(bed, gateway(bed, { ipMasq: true }), 1)]
  a.add()
  const kept = b.add()
  expect(a.gc([{ containerID: 'c1', ifname: 'eth0' }]).status).toBe(0)
  expect(snapshot(bed.node).filter((line) => line.includes('net/c0/eth0'))).toEqual([])
  expect(b.check(kept).status).toBe(0)
})

test("STATUS is 50 while an interface of the bridge's name is no bridge", () => {
  const bed = makeNode(1)
  const a = attaching(bed, gateway(bed))
  const before = snapshot(bed.node)
  expect(a.call('STATUS', { ipMasq: true }).status).toBe(0)
  expect(difference(before, snapshot(bed.node))).toEqual([])
  shellIn(bed.node, 'ip link add cni0 type veth peer name other')
  expect(a.call('STATUS').json).toMatchObject({ code: 50 })
})

test('a failed ADD of one network, cleaned up by DEL, leaves the interface that another network attached', () => {
  const bed = makeNode(1)
  const first = attaching(bed, gateway(bed))
  const result = first.add()
  const second = attaching(bed, { ...gateway(bed, { bridge: 'cni1' }), name: 'other' } as { type: string })
  expect(second.call('ADD').json).toMatchObject({ code: 103 })
  expect(second.del().status).toBe(0)
  expect(first.check(result).status).toBe(0)
})

test.for(['bridge', 'ptp'])(
  'STATUS of %s is 50 while the kernel refuses the masquerade that ADD would ask for',
  (type) => {
    const bed = makeNode(1)
    const conf = { cniVersion: '1.1.0', name: 'net', type, ipMasq: true, ipam: hostLocal(bed) }
    const base = { bin: binDir(), node: bed.node, verb: 'STATUS', conf }
    expect(callPlugin(base).status).toBe(0)
    const wrap = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
    expect(callPlugin({ ...base, wrap }).json).toMatchObject({ code: 50, msg: expect.stringContaining('"ipMasq"') })
  },
)

test('DEL with the result of another container takes back its own masquerade and leaves the other one whole', () => {
  const bed = makeNode(2)
  const conf = gateway(bed, { ipMasq: true })
  const [a, b] = [attaching(bed, conf, 0), attaching(bed, conf, 1)]
  a.add()
  const other = b.add()
  expect(a.del(other).status).toBe(0)
  expect(snapshot(bed.node).filter((line) => line.includes('net/c0/eth0'))).toEqual([])
  expect(b.check(other).status).toBe(0)
})
