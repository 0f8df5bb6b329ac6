/** A node with pods and a neighbour, all of them namespaces:
 *
 *       outside                     node                      pods
 *      [ up0 ] ================== [ up0 ]                    [ lo ] [ lo ] ...
 *      192.0.2.2/24               192.0.2.1/24               what a plugin is asked to attach
 *      2001:db8::2/64             2001:db8::1/64
 *
 *  The neighbour has no route to any pod: it answers a pod only if the node masquerades. */
import { makeFolder } from './cleanup.ts'
import { must } from './command.ts'
import { makeNetns, shellIn } from './netns.ts'

export const NODE_IPV4 = '192.0.2.1'
export const NODE_IPV6 = '2001:db8::1'
export const OUTSIDE_IPV4 = '192.0.2.2'
export const OUTSIDE_IPV6 = '2001:db8::2'

export interface NodeBed {
  /** Names of namespaces. */
  readonly node: string
  readonly outside: string
  readonly pods: readonly string[]
  /** A folder for whatever the test keeps: `dataDir` of IPAM, configuration, results. */
  readonly folder: string
}

/** The bed drawn above, with `podCount` pods. Takes about 20 ms. */
export const makeNode = (podCount: number, label = 'bed'): NodeBed => {
  const node = makeNetns(`${label}-node`)
  const outside = makeNetns(`${label}-outside`)
  must(['ip', '-n', node, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up0', 'netns', outside])
  for (const [name, ipv4, ipv6] of [
    [node, NODE_IPV4, NODE_IPV6],
    [outside, OUTSIDE_IPV4, OUTSIDE_IPV6],
  ] as const)
    shellIn(
      name,
      `ip link set lo up; ip link set up0 up; ip addr add ${ipv4}/24 dev up0; ip addr add ${ipv6}/64 dev up0 nodad`,
    )
  shellIn(node, `ip route add default via ${OUTSIDE_IPV4}; ip -6 route add default via ${OUTSIDE_IPV6}`)
  const pods = Array.from({ length: podCount }, (_, i) => makeNetns(`${label}-pod${i}`))
  return { node, outside, pods, folder: makeFolder(label) }
}
