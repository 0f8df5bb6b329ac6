/** What shapes one attachment: a TBF on the node's end of its veth pair for what it receives; for what it sends a redirect
 *  to an ifb, and a TBF there. */
import type { Result } from '../../cni/result.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { tbfOf } from '../../netlink/tbf.ts'
import type { BandwidthConf, Limit } from './conf.ts'
import type { HostEnd } from './host-end.ts'
import type { Ifb } from './ifb.ts'

/** Milliseconds that a packet waits at most before it is dropped: upstream's. */
const LATENCY = 25

const shaped = (dev: string, { rate, burst }: Limit): Fact => ({
  kind: 'qdisc',
  ns: 'node',
  dev,
  discipline: { kind: 'tbf', ...tbfOf(rate, burst, LATENCY) },
})

/** The MTU is given at birth only: the one of the pair may be changed later. */
const ifbLink = (owner: Owner, { name, mac }: Ifb, { mtu }: HostEnd): Fact => ({
  kind: 'link',
  ns: 'node',
  name,
  device: { kind: 'ifb' },
  settings: { up: true, ...(mac === undefined ? {} : { mac, alias: commentOf(owner) }) },
  ...(mtu === undefined ? {} : { birth: { mtu } }),
})

const planEgress = (limit: Limit, owner: Owner, host: HostEnd, ifb: Ifb): Plan => [
  ifbLink(owner, ifb, host),
  shaped(ifb.name, limit),
  { kind: 'qdisc', ns: 'node', dev: host.name, discipline: { kind: 'ingress' } },
  { kind: 'filter', ns: 'node', dev: host.name, redirect: ifb.name },
]

export const planBandwidth = ({ ingress, egress }: BandwidthConf, owner: Owner, host: HostEnd, ifb: Ifb): Plan => [
  ...(ingress === undefined ? [] : [shaped(host.name, ingress)]),
  ...(egress === undefined ? [] : planEgress(egress, owner, host, ifb)),
]

/** The previous result, with the ifb behind its interfaces where there is one. */
export const resultOf = ({ egress }: BandwidthConf, ifb: Ifb, prevResult: Result): Result =>
  egress === undefined ? prevResult : { ...prevResult, interfaces: [...(prevResult.interfaces ?? []), { ...ifb }] }
