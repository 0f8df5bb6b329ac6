/** What each backend plans, on the kernel that Debian ships: two nodes with a pod's address each, and packets from one pod
 *  to the other. */
import { deepEqual } from 'node:assert/strict'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import { publicKeyOf } from '../../agent/wireguard-key.ts'
import { apply, driftOf, remove } from '../../kernel/apply.ts'
import type { Plan } from '../../kernel/plan.ts'
import type { Lease } from '../../overlay/lease.ts'
import { leaseKey } from '../../overlay/lease-key.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import type { OverlayNode, Site } from '../../overlay/planner.ts'
import { plannerOf } from '../../overlay/planners.ts'
import { kernelOf } from '../support/in-process.ts'
import { runIn, shellIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'
import type { Cases } from './case.ts'

const UNDERLAY_MTU = 1500

const secretOf = (n: number): string => Buffer.from([n * 8, ...new Array<number>(31).fill(0x40)]).toString('base64')

const siteOf = (text: string, { ipv4, ipv6 }: UnderlayNode, n: number): Site => ({
  conf: parseNetConf(text),
  underlay: {
    name: 'eth0',
    mtu: UNDERLAY_MTU,
    ipv4: ipv4 as Ip,
    ipv6: ipv6 as Ip,
    addresses: [`${ipv4}/24`, `${ipv6}/64`] as Cidr[],
  },
  publicIP: ipv4 as Ip,
  publicIPv6: ipv6 as Ip,
  privateKey: secretOf(n),
  publicKey: publicKeyOf(secretOf(n)),
})

const leaseOf = (site: Site, n: number): Lease => {
  const { conf } = site
  const subnets = {
    ...(conf.ipv4 === undefined ? {} : { subnet: `10.244.${n}.0/24` as Cidr }),
    ...(conf.ipv6 === undefined ? {} : { ipv6Subnet: `fd00:0:0:${n}::/64` as Cidr }),
  }
  return {
    key: leaseKey(subnets),
    ...subnets,
    ...(site.publicIP === undefined ? {} : { publicIP: site.publicIP }),
    ...(site.publicIPv6 === undefined ? {} : { publicIPv6: site.publicIPv6 }),
    backendType: conf.backend.kind,
    ...plannerOf(conf.backend).publish(site),
  }
}

interface Brought {
  readonly node: UnderlayNode
  readonly plan: Plan
  /** Of pods, bytes. */
  readonly mtu: number
}

/** The plan of each of two nodes, applied. */
const bring = (nodes: readonly UnderlayNode[], conf: object): readonly Brought[] => {
  const sites = nodes.map((node, i) => siteOf(JSON.stringify(conf), node, i + 1))
  const leases = sites.map((site, i) => leaseOf(site, i + 1))
  return nodes.map((node, i) => {
    const own: OverlayNode = { ...(sites[i] as Site), own: leases[i] as Lease }
    const planner = plannerOf(own.conf.backend)
    const plan = [...planner.base(own), ...planner.peer(own, leases[1 - i] as Lease)]
    kernelOf(node.netns, undefined, (kernel) => apply(plan, kernel))
    return { node, plan, mtu: planner.mtu(own) }
  })
}

const addPod = ({ netns }: UnderlayNode, n: number): void => {
  shellIn(
    netns,
    `ip link add pod0 type dummy; ip link set pod0 up
     ip addr add 10.244.${n}.2/32 dev pod0; ip addr add fd00:0:0:${n}::2/128 dev pod0 nodad`,
  )
}

const PODS = { 4: ['10.244.1.2', '10.244.2.2'], 6: ['fd00:0:0:1::2', 'fd00:0:0:2::2'] } as const

/** Whether an ICMP packet of `mtu` bytes comes back, and is not divided on its way. */
const carries = ({ node, mtu }: Brought, family: 4 | 6): boolean => {
  const [from, to] = PODS[family]
  const size = String(mtu - (family === 6 ? 40 : 20) - 8)
  const ping = ['ping', '-n', '-q', '-c', '1', '-W', '2', '-M', 'do', '-s', size, '-I', from, to]
  return waitFor(() => runIn(node.netns, ping).status === 0)
}

const linksOf = ({ netns }: UnderlayNode): string =>
  [...runIn(netns, ['ip', '-br', 'link']).stdout.matchAll(/^flannel[^@\s]*/gm)]
    .map(([name]) => name)
    .sort()
    .join(' ')

interface Row {
  readonly conf: object
  readonly families: readonly (4 | 6)[]
  readonly mtu: number
  /** Links of the overlay. */
  readonly links: string
}

/** What is not as the row has it. */
const failuresOf = (nodes: readonly UnderlayNode[], { conf, families, mtu, links }: Row): readonly string[] => {
  const brought = bring(nodes, conf)
  const lost = families.filter((family) => brought[0] === undefined || !carries(brought[0], family))
  const failures = [
    ...lost.map((family) => `no IPv${family} packet of ${mtu} bytes comes back`),
    ...brought.filter((one) => one.mtu !== mtu).map((one) => `the MTU is ${one.mtu}, not ${mtu}`),
    ...nodes
      .map(linksOf)
      .filter((text) => text !== links)
      .map((text) => `the links are ${text}`),
    ...brought.flatMap(({ node, plan }) => kernelOf(node.netns, undefined, (kernel) => driftOf(plan, kernel))),
  ]
  for (const { node, plan } of brought) kernelOf(node.netns, undefined, (kernel) => remove(plan, kernel))
  return [
    ...failures,
    ...nodes
      .map(linksOf)
      .filter((left) => left !== '')
      .map((left) => `${left} stays`),
  ]
}

const IPV4 = { Network: '10.244.0.0/16' }
const IPV6 = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00::/48' }
const DUAL = { ...IPV4, EnableIPv6: true, IPv6Network: 'fd00::/48' }
const WIREGUARD = { Type: 'wireguard', PSK: 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA=' }
const both = [4, 6] as const

const ROWS: Readonly<Record<string, Row>> = {
  vxlan: { conf: { ...DUAL, Backend: { Type: 'vxlan' } }, families: both, mtu: 1430, links: 'flannel-v6.1 flannel.1' },
  'vxlan with GBP': {
    conf: { ...IPV4, Backend: { Type: 'vxlan', GBP: true } },
    families: [4],
    mtu: 1450,
    links: 'flannel.1',
  },
  'host-gw': { conf: { ...DUAL, Backend: { Type: 'host-gw' } }, families: both, mtu: 1500, links: '' },
  ipip: { conf: { ...IPV4, Backend: { Type: 'ipip' } }, families: [4], mtu: 1480, links: 'flannel.ipip' },
  'ipip with DirectRouting': {
    conf: { ...IPV4, Backend: { Type: 'ipip', DirectRouting: true } },
    families: [4],
    mtu: 1480,
    links: 'flannel.ipip',
  },
  'wireguard, IPv6 alone': { conf: { ...IPV6, Backend: WIREGUARD }, families: [6], mtu: 1420, links: 'flannel-wg-v6' },
  'wireguard, a device for each family': {
    conf: { ...DUAL, Backend: WIREGUARD },
    families: both,
    mtu: 1420,
    links: 'flannel-wg flannel-wg-v6',
  },
  'wireguard, one device over IPv6': {
    conf: { ...DUAL, Backend: { ...WIREGUARD, Mode: 'ipv6' } },
    families: both,
    mtu: 1420,
    links: 'flannel-wg',
  },
  'wireguard, one device the way that is best': {
    conf: { ...DUAL, Backend: { ...WIREGUARD, Mode: 'auto' } },
    families: both,
    mtu: 1420,
    links: 'flannel-wg',
  },
}

export const overlayCases: Cases = {
  'each backend carries packets as large as its MTU, is as planned, and goes without a trace': () => {
    const { nodes } = makeUnderlay(2)
    for (const [i, node] of nodes.entries()) addPod(node, i + 1)
    const failures = Object.entries(ROWS).flatMap(([name, row]) =>
      failuresOf(nodes, row).map((failure) => `${name}: ${failure}`),
    )
    deepEqual(failures, [])
  },
}
