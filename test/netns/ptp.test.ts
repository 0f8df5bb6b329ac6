/** `ptp` through the built executable, with packets:
 *
 *     outside ===== node [ veth.. gateway/32 ] ===== pod0
 *                        [ veth.. gateway/32 ] ===== pod1 */
import { expect, test } from 'vitest'
import { attaching, hostLocal } from '../support/attachment.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { ipJson, runIn, shellIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, type NodeBed, OUTSIDE_IPV4, OUTSIDE_IPV6 } from '../support/node.ts'
import { ask, listen, ping } from '../support/probe.ts'

const ptp = (bed: NodeBed, more: object = {}) => ({
  type: 'ptp',
  ipam: { ...hostLocal(bed), routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] },
  ...more,
})

test('ptp joins two pods through the node in both families, CHECK agrees, and DEL and GC leave nothing', () => {
  const bed = makeNode(2)
  const before = snapshot(bed.node)
  const [a, b] = [attaching(bed, ptp(bed), 0), attaching(bed, ptp(bed), 1)]
  const result = a.add()
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

test('the pod reaches its own subnet through the gateway only', () => {
  const bed = makeNode(1)
  attaching(bed, ptp(bed)).add()
  const routes = ipJson(bed.pods[0] ?? '', 'route').map(({ dst, gateway }) => [dst, gateway])
  expect(routes).toContainEqual(['10.9.0.0/24', '10.9.0.1'])
  expect(routes).toContainEqual(['10.9.0.1', undefined])
})

test.for([
  [OUTSIDE_IPV4, NODE_IPV4],
  [OUTSIDE_IPV6, NODE_IPV6],
] as const)('ptp with ipMasq: %s sees the node at %s', ([to, seen]) => {
  const bed = makeNode(1)
  attaching(bed, ptp(bed, { ipMasq: true })).add()
  const stop = listen(bed.outside, 'web', 8080)
  expect(ask({ from: bed.pods[0] ?? '', to, port: 8080 })).toBe(`web ${seen}`)
  stop()
})

test.for([
  ['with prevResult', true],
  ['without prevResult', false],
] as const)('DEL %s and with the namespace gone takes link, masquerade and address back', ([, sent]) => {
  const bed = makeNode(1)
  const a = attaching(bed, ptp(bed, { ipMasq: true }))
  const result = a.add()
  runIn(bed.node, ['ip', 'netns', 'del', bed.pods[0] ?? ''])
  expect(a.del(sent ? result : undefined).status).toBe(0)
  const left = snapshot(bed.node, [`${bed.folder}/ipam`]).filter(
    (line) => /10\.9\.0\.2\b|fd00:9::2\b|net\/c0\/eth0/.test(line) && !line.includes('last_reserved_ip'),
  )
  expect(left).toEqual([])
})

test('ptp refuses an address without a gateway, and a network without IPAM, and changes nothing', () => {
  const bed = makeNode(1)
  const before = snapshot(bed.node, [bed.folder])
  const noGateway = attaching(bed, {
    type: 'ptp',
    ipam: { type: 'static', addresses: [{ address: '10.9.0.2/24' }] },
  } as { type: string })
  expect(noGateway.call('ADD').json).toMatchObject({ code: 7, msg: expect.stringContaining('without a gateway') })
  expect(attaching(bed, { type: 'ptp' }).call('ADD').json).toMatchObject({
    code: 7,
    msg: expect.stringContaining('$.ipam.type is missing'),
  })
  expect(difference(before, snapshot(bed.node, [bed.folder]))).toEqual([])
})

test.for([
  ['a missing host route', 'node', 'ip route del 10.9.0.2/32'],
  ['a missing gateway address', 'node', 'ip addr del 10.9.0.1/32 dev HOST'],
  ['a missing route', 'pod', 'ip route del 10.9.0.0/24'],
  ['an interface that is down', 'pod', 'ip link set eth0 down'],
] as const)('CHECK finds %s', ([, where, script]) => {
  const bed = makeNode(1)
  const a = attaching(bed, ptp(bed))
  const result = a.add()
  shellIn(where === 'node' ? bed.node : (bed.pods[0] ?? ''), script.replace('HOST', result.interfaces[0]?.name ?? ''))
  expect(a.check(result).json).toMatchObject({ code: 100 })
})

test('GC removes the attachments that are not listed and keeps the others', () => {
  const bed = makeNode(2)
  const [a, b] = [attaching(bed, ptp(bed, { ipMasq: true }), 0), attaching(bed, ptp(bed, { ipMasq: true }), 1)]
  a.add()
  const kept = b.add()
  expect(a.gc([{ containerID: 'c1', ifname: 'eth0' }]).status).toBe(0)
  expect(snapshot(bed.node).filter((line) => line.includes('net/c0/eth0'))).toEqual([])
  expect(b.check(kept).status).toBe(0)
})
