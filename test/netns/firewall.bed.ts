/** A node with two bridges and three pods behind them, and calls of firewall for these pods:
 *
 *      outside ---- node ---- br0 (10.1.0.1/24, fd01::1/64) ---- a, b
 *                        \--- br1 (10.2.0.1/24, fd02::1/64) ---- c
 */
import { makeNetns, pathOf, shellIn } from '../support/netns.ts'
import { makeNode } from '../support/node.ts'
import { binDir, callPlugin, mustCall, type PluginCall, type PluginOutput } from '../support/plugin.ts'

export interface Pod {
  readonly name: string
  readonly netns: string
  readonly bridge: string
  readonly ipv4: string
  readonly ipv6: string
}

export interface Bed {
  readonly node: string
  readonly outside: string
  readonly a: Pod
  readonly b: Pod
  readonly c: Pod
}

const attach = (node: string, name: string, net: number, host: number): Pod => {
  const netns = makeNetns(`fw-${name}`)
  const bridge = `br${net - 1}`
  const [ipv4, ipv6] = [`10.${net}.0.${host}`, `fd0${net}::${host}`]
  shellIn(
    node,
    `ip link add name ${name} type veth peer name eth0 netns ${netns}; ip link set dev ${name} master ${bridge} up`,
  )
  shellIn(
    netns,
    `ip link set lo up; ip link set eth0 up; ip addr add ${ipv4}/24 dev eth0; ip addr add ${ipv6}/64 dev eth0 nodad
     ip route add default via 10.${net}.0.1; ip -6 route add default via fd0${net}::1`,
  )
  return { name, netns, bridge, ipv4, ipv6 }
}

export const makeBed = (): Bed => {
  const { node, outside } = makeNode(0, 'fw')
  for (const net of [1, 2])
    shellIn(
      node,
      `ip link add br${net - 1} type bridge; ip link set br${net - 1} up
       ip addr add 10.${net}.0.1/24 dev br${net - 1}; ip addr add fd0${net}::1/64 dev br${net - 1} nodad`,
    )
  shellIn(node, 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
  shellIn(outside, 'ip route add 10.0.0.0/8 via 192.0.2.1')
  return { node, outside, a: attach(node, 'a', 1, 2), b: attach(node, 'b', 1, 3), c: attach(node, 'c', 2, 2) }
}

export const prevResultOf = ({ bridge, name, netns, ipv4, ipv6 }: Pod): object => ({
  interfaces: [{ name: bridge }, { name }, { name: 'eth0', sandbox: pathOf(netns) }],
  ips: [
    { address: `${ipv4}/24`, interface: 2 },
    { address: `${ipv6}/64`, interface: 2 },
  ],
  routes: [{ dst: '0.0.0.0/0' }],
  'x-kept': true,
})

const callOf = ({ node }: Bed, verb: string, pod: Pod, keys: object, more: Partial<PluginCall> = {}): PluginCall => ({
  bin: binDir(),
  node,
  verb,
  containerID: pod.name,
  netns: pod.netns,
  ifName: 'eth0',
  conf: { cniVersion: '1.1.0', name: 'net', type: 'firewall', prevResult: prevResultOf(pod), ...keys },
  ...more,
})
export const call = (...args: Parameters<typeof callOf>): PluginOutput => callPlugin(callOf(...args))
export const must = (...args: Parameters<typeof callOf>): unknown => mustCall(callOf(...args))
export const gc = (bed: Bed, keys: object, ...valid: readonly Pod[]): unknown =>
  must(bed, 'GC', bed.a, {
    ...keys,
    prevResult: undefined,
    'cni.dev/valid-attachments': valid.map(({ name }) => ({ containerID: name, ifname: 'eth0' })),
  })
