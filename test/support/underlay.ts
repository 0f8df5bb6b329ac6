/** Nodes that reach each other over a bridge in a further namespace:
 *
 *      [ node 1 ]   [ node 2 ]   [ node 3 ]
 *         eth0         eth0         eth0        192.0.2.N/24, 2001:db8::N/64, N from 1
 *          |            |            |
 *        port1        port2        port3        ports of the bridge `wire` in the namespace `wire`
 *
 *  A node's default route leads to 192.0.2.254 and 2001:db8::fe, addresses of `wire`, which stands for the outside: it has
 *  no route to any pod. */
import { must } from './command.ts'
import { makeNetns, shellIn } from './netns.ts'

export interface UnderlayNode {
  /** Name of the namespace. */
  readonly netns: string
  readonly ipv4: string
  readonly ipv6: string
  /** The node's port on the bridge, in the namespace `wire`: set it down to cut the node off. */
  readonly port: string
}

export interface UnderlayBed {
  readonly wire: string
  readonly nodes: readonly UnderlayNode[]
}

export const WIRE_IPV4 = '192.0.2.254'
export const WIRE_IPV6 = '2001:db8::fe'

const makeUnderlayNode = (wire: string, n: number, label: string): UnderlayNode => {
  const netns = makeNetns(`${label}-node${n}`)
  const [ipv4, ipv6, port] = [`192.0.2.${n}`, `2001:db8::${n.toString(16)}`, `port${n}`]
  must(['ip', '-n', netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', port, 'netns', wire])
  shellIn(wire, `ip link set ${port} master wire up`)
  shellIn(
    netns,
    `ip link set lo up; ip link set eth0 up; ip addr add ${ipv4}/24 dev eth0; ip addr add ${ipv6}/64 dev eth0 nodad
     ip route add default via ${WIRE_IPV4}; ip -6 route add default via ${WIRE_IPV6}`,
  )
  return { netns, ipv4, ipv6, port }
}

/** The bed drawn above, with `count` nodes (at most 200). Takes about 20 ms a node. */
export const makeUnderlay = (count: number, label = 'bed'): UnderlayBed => {
  const wire = makeNetns(`${label}-wire`)
  shellIn(
    wire,
    `ip link set lo up; ip link add wire type bridge; ip link set wire up
     ip addr add ${WIRE_IPV4}/24 dev wire; ip addr add ${WIRE_IPV6}/64 dev wire nodad`,
  )
  const nodes = Array.from({ length: count }, (_, i) => makeUnderlayNode(wire, i + 1, label))
  return { wire, nodes }
}
