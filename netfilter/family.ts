/** Families and hooks as numbers. linux/netfilter.h NFPROTO_*, NF_INET_*; linux/netfilter_bridge.h NF_BR_*. */
import { NFPROTO_BRIDGE, NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_NETDEV } from '../netlink/nfnetlink.ts'
import type { TableId } from '../netlink/nftables.ts'
import type { Hook, Table, TableFamily } from './ruleset.ts'

const FAMILIES: Readonly<Record<TableFamily, number>> = {
  inet: NFPROTO_INET,
  ip: NFPROTO_IPV4,
  netdev: NFPROTO_NETDEV,
  bridge: NFPROTO_BRIDGE,
  ip6: NFPROTO_IPV6,
}
export const familyNumber = (family: TableFamily): number => FAMILIES[family]
export const idOf = ({ family, name }: Pick<Table, 'family' | 'name'>): TableId => ({
  family: familyNumber(family),
  name,
})

const HOOKS: Readonly<Record<Hook, number>> = {
  prerouting: 0,
  input: 1,
  forward: 2,
  output: 3,
  postrouting: 4,
  ingress: 5,
  egress: 6,
}
/** NF_INET_INGRESS is 5, NF_NETDEV_INGRESS 0 and NF_NETDEV_EGRESS 1. */
export const hookNumber = (hook: Hook, family: TableFamily): number =>
  family === 'netdev' ? (hook === 'egress' ? 1 : 0) : HOOKS[hook]
