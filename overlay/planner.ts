/** What a backend's planner is: values in, plans out. The agent applies them; so does the plugin `vxlan`. */
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { Mac } from '../addr/mac.ts'
import type { Plan } from '../kernel/plan.ts'
import type { Scope } from '../kernel/reconcile.ts'
import type { BackendData, Lease } from './lease.ts'
import type { NetConf } from './net-conf.ts'

/** The interface that leads to the other nodes. */
export interface Underlay {
  readonly name: string
  /** Bytes. */
  readonly mtu: number
  /** This node's endpoints on it. */
  readonly ipv4?: Ip
  readonly ipv6?: Ip
  /** Every address of it with its prefix length: a peer inside one of them is reached without a gateway. */
  readonly addresses: readonly Cidr[]
}

/** This node, as far as it is known before it has a lease. */
export interface Site {
  readonly conf: NetConf
  readonly underlay: Underlay
  /** What the others reach this node by: an endpoint of the underlay, or as `--public-ip` says. */
  readonly publicIP?: Ip
  readonly publicIPv6?: Ip
  /** Base64; of wireguard alone. */
  readonly privateKey?: string
  readonly publicKey?: string
  /** MACs of the VTEPs that this node's devices have now, so that a node whose flanneld is replaced keeps what its peers know
   *  it by. Left out: derived from its public address. */
  readonly vtepMac?: Mac
  readonly vtepMacV6?: Mac
}

/** This node with its lease. */
export interface OverlayNode extends Site {
  readonly own: Lease
}

export type { Scope } from '../kernel/reconcile.ts'

export interface Planner {
  /** What the own lease publishes; the VTEP's MAC is derived, so that it is the same after a reboot. */
  readonly publish: (site: Site) => { readonly data: BackendData; readonly v6Data: BackendData }
  /** MTU of pods, bytes: the least over the families. */
  readonly mtu: (site: Site) => number
  /** Links, addresses and settings of this node alone, in the order they are made. */
  readonly base: (node: OverlayNode) => Plan
  /** What reaches one peer: neighbour, forwarding entry, route. Independent of every other peer. */
  readonly peer: (node: OverlayNode, peer: Lease) => Plan
  readonly scope: (node: OverlayNode) => Scope
}
