/** What a node shows of its overlay when no agent can be asked: its links, what is on them, and subnet.env. */
import { readFileSync } from 'node:fs'
import type { Kernel } from '../../kernel/kernel.ts'
import { withKernel } from '../../kernel/kernel.ts'
import { dumpAllAddresses } from '../../netlink/address.ts'
import { dumpLinks, type Link } from '../../netlink/link.ts'
import { dumpNeighs } from '../../netlink/neigh.ts'
import { dumpRoutes } from '../../netlink/route.ts'
import { isOverlayDevice } from '../../overlay/devices.ts'
import { parseSubnetEnv, type SubnetEnv } from '../../overlay/subnet-env.ts'

export interface OverlayLink {
  readonly name: string
  readonly kind: string
  readonly up: boolean
  readonly mtu: number
  readonly addresses: readonly string[]
  /** How many there are on it. */
  readonly routes: number
  readonly neighbours: number
  readonly fdb: number
}

export interface Remains {
  readonly links: readonly OverlayLink[]
  readonly subnetFile: { readonly path: string; readonly env?: SubnetEnv; readonly why?: string }
}

const linksOf = (kernel: Kernel): readonly OverlayLink[] => {
  const socket = kernel.route('node')
  const found = dumpLinks(socket).filter(({ name }) => isOverlayDevice(name))
  if (found.length === 0) return []
  const routes = [...dumpRoutes(socket, 4), ...dumpRoutes(socket, 6)]
  const neighbours = [...dumpNeighs(socket, 'neigh', 4), ...dumpNeighs(socket, 'neigh', 6)]
  const [fdb, addresses] = [dumpNeighs(socket, 'fdb', 4), dumpAllAddresses(socket)]
  const on = <T extends { readonly index: number }>({ index }: Link, list: readonly T[]): readonly T[] =>
    list.filter((each) => each.index === index)
  return found.map((link) => ({
    ...{ name: link.name, kind: link.kind, up: link.up, mtu: link.mtu },
    addresses: on(link, addresses).map(({ address }) => address),
    routes: on(link, routes).length,
    neighbours: on(link, neighbours).filter(({ permanent }) => permanent).length,
    fdb: on(link, fdb).length,
  }))
}

const subnetFileOf = (path: string): Remains['subnetFile'] => {
  try {
    return { path, env: parseSubnetEnv(readFileSync(path, 'utf8')) }
  } catch (error) {
    return { path, why: error instanceof Error ? error.message : String(error) }
  }
}

/** What is left to be seen in this namespace. @throws NetlinkError */
export const observeRemains = (subnetFile: string): Remains => ({
  links: withKernel('', linksOf),
  subnetFile: subnetFileOf(subnetFile),
})
