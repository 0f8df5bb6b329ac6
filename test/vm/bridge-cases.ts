/** `bridge` with VLANs (`vlan`, `vlanTrunk`, `preserveDefaultVlan`, a gateway on a VLAN), and what else is the bridge's own
 *  to forward or to drop. */
import { deepEqual, equal, match } from 'node:assert/strict'
import { attaching } from '../support/attachment.ts'
import { mustIn, runIn, shellIn } from '../support/netns.ts'
import { makeNode, type NodeBed } from '../support/node.ts'
import { ping } from '../support/probe.ts'
import type { Cases } from './case.ts'

interface PortVlan {
  readonly vlan: number
  readonly flags?: readonly string[]
}

/** VLANs of the port or bridge `name`, as `10` or, for the one that untagged frames are in, `100 pvid untagged`. */
const vlansOf = (node: string, name: string): readonly string[] => {
  const [port] = JSON.parse(mustIn(node, ['bridge', '-j', 'vlan', 'show', 'dev', name])) as { vlans?: PortVlan[] }[]
  const shown = ({ vlan, flags = [] }: PortVlan) =>
    [vlan, ...flags.map((flag) => flag.split(' ').at(-1)?.toLowerCase())].join(' ')
  return (port?.vlans ?? []).map(shown)
}

const bridgeIn = (address: string, more: object) => ({
  type: 'bridge',
  bridge: 'br0',
  ipam: { type: 'static', addresses: [{ address }] },
  ...more,
})

const portOf = (result: { interfaces: readonly { name: string; sandbox?: string }[] }): string =>
  result.interfaces.find(({ name, sandbox }) => name !== 'br0' && !sandbox)?.name ?? ''

const hears = (bed: NodeBed, from: number, address: string): boolean => ping(bed.pods[from] ?? '', address)

const inVlan = (bed: NodeBed, pod: number, vlan: number) =>
  attaching(bed, bridgeIn(`10.9.0.${pod + 10}/24`, { vlan }), pod).add()

export const bridgeCases: Cases = {
  'pods of one VLAN hear each other, pods of two do not': () => {
    const bed = makeNode(3)
    inVlan(bed, 0, 100)
    inVlan(bed, 1, 100)
    inVlan(bed, 2, 200)
    deepEqual([hears(bed, 0, '10.9.0.11'), hears(bed, 0, '10.9.0.12')], [true, false])
  },

  'a port has its VLAN untagged and not the default one, unless that is to be preserved': () => {
    const bed = makeNode(2)
    const strict = attaching(bed, bridgeIn('10.9.0.10/24', { vlan: 100 }), 0).add()
    const kept = attaching(bed, bridgeIn('10.9.0.11/24', { vlan: 100, preserveDefaultVlan: true }), 1).add()
    deepEqual(vlansOf(bed.node, portOf(strict)), ['100 pvid untagged'])
    deepEqual(vlansOf(bed.node, portOf(kept)), ['1 untagged', '100 pvid untagged'])
  },

  'a trunk carries its VLANs, tagged': () => {
    const bed = makeNode(2)
    const vlanTrunk = [{ minID: 10, maxID: 12 }, { id: 20 }]
    const trunk = attaching(bed, bridgeIn('10.9.0.10/24', { vlanTrunk }), 0).add()
    equal(
      vlansOf(bed.node, portOf(trunk))
        .join(', ')
        .replace(/^1 pvid untagged, /, ''),
      '10, 11, 12, 20',
    )
    inVlan(bed, 1, 11)
    shellIn(
      bed.pods[0] ?? '',
      'ip link add eth0.11 link eth0 type vlan id 11; ip link set eth0.11 up; ip addr add 10.9.0.20/24 dev eth0.11; ip addr del 10.9.0.10/24 dev eth0',
    )
    equal(hears(bed, 0, '10.9.0.11'), true)
  },

  'the gateway of a VLAN is on an interface of its own, which pods of another VLAN do not hear': () => {
    const bed = makeNode(2)
    const gateway = { isGateway: true, vlan: 100 }
    attaching(bed, bridgeIn('10.9.0.10/24', gateway), 0).add()
    inVlan(bed, 1, 200)
    match(mustIn(bed.node, ['ip', '-br', 'addr', 'show', 'dev', 'br0.100']), /10\.9\.0\.1\/24/)
    deepEqual([hears(bed, 0, '10.9.0.1'), hears(bed, 1, '10.9.0.1')], [true, false])
  },

  'CHECK finds a VLAN that a port has lost': () => {
    const bed = makeNode(1)
    const pod = attaching(bed, bridgeIn('10.9.0.10/24', { vlan: 100 }), 0)
    const result = pod.add()
    equal(pod.check(result).stdout, '')
    mustIn(bed.node, ['bridge', 'vlan', 'del', 'dev', portOf(result), 'vid', '100'])
    match(pod.check(result).stdout, /"code": 100/)
  },

  'DEL leaves the VLAN of another pod alone, and no port': () => {
    const bed = makeNode(2)
    const first = attaching(bed, bridgeIn('10.9.0.10/24', { vlan: 100, isGateway: true }), 0)
    const result = first.add()
    const second = attaching(bed, bridgeIn('10.9.0.11/24', { vlan: 100, isGateway: true }), 1)
    second.add()
    equal(first.del(result).status, 0)
    equal(runIn(bed.node, ['ip', 'link', 'show', portOf(result)]).status, 1)
    equal(hears(bed, 1, '10.9.0.1'), true)
  },

  'macspoofchk drops what a pod sends under another address': () => {
    const bed = makeNode(2)
    attaching(bed, bridgeIn('10.9.0.10/24', { macspoofchk: true }), 0).add()
    attaching(bed, bridgeIn('10.9.0.11/24', {}), 1).add()
    equal(hears(bed, 0, '10.9.0.11'), true)
    shellIn(bed.pods[0] ?? '', 'ip link set eth0 address 02:00:00:00:00:99; ip neigh flush dev eth0')
    equal(hears(bed, 0, '10.9.0.11'), false)
  },

  'isolated ports hear the gateway and not each other': () => {
    const bed = makeNode(2)
    const isolated = { portIsolation: true, isGateway: true }
    for (const pod of [0, 1]) attaching(bed, bridgeIn(`10.9.0.${pod + 10}/24`, isolated), pod).add()
    deepEqual([hears(bed, 0, '10.9.0.11'), hears(bed, 0, '10.9.0.1')], [false, true])
  },
}
