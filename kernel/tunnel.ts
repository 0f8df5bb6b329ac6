/** Devices that carry packets to other nodes, as a link's fact states them. */
import type { Ipip, Tunnel, Vxlan } from '../netlink/tunnel.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns } from './plan.ts'

/** As in netlink/tunnel.ts, but the link it sends by is named. An ipip without `dev`, as flanneld's, sends by whichever
 *  link the routes say. */
export type TunnelDevice =
  | (Omit<Vxlan, 'link' | 'remote'> & { readonly dev: string })
  | (Omit<Ipip, 'link' | 'remote'> & { readonly dev?: string })

export const isTunnel = (device: { readonly kind: string }): device is TunnelDevice =>
  device.kind === 'vxlan' || device.kind === 'ipip'

/** @throws CniError when `dev` is not there */
export const tunnelOf = (ns: Ns, device: TunnelDevice, kernel: Kernel): Tunnel => {
  const { dev, ...rest } = device
  return { ...rest, link: dev === undefined ? 0 : indexOf(ns, dev, kernel) }
}

/** What follows `type vxlan` or `type ipip`. */
export const renderTunnel = (device: TunnelDevice): string =>
  [
    device.kind === 'vxlan' ? ` id ${device.vni}` : '',
    ` local ${device.local}`,
    device.dev === undefined ? '' : ` dev ${device.dev}`,
    device.kind === 'vxlan' ? ` dstport ${device.port}${device.learning ? '' : ' nolearning'}` : '',
    device.kind === 'vxlan' && device.gbp ? ' gbp' : '',
  ].join('')

const WORDS: { readonly [K in Exclude<keyof Vxlan, 'kind'>]: string } = {
  vni: 'VNI',
  port: 'port',
  local: 'local address',
  link: 'underlay of index',
  learning: 'learning',
  gbp: 'gbp',
  remote: 'remote address',
}

/** The first attribute that differs, in one line. */
export const tunnelDrift = (
  { ns, name }: { readonly ns: Ns; readonly name: string },
  device: TunnelDevice,
  found: Tunnel | undefined,
  kernel: Kernel,
): string | undefined => {
  const want: Partial<Vxlan> = { ...tunnelOf(ns, device, kernel), kind: 'vxlan' }
  const is: Partial<Vxlan> = { ...found, kind: 'vxlan' }
  for (const [key, word] of Object.entries(WORDS) as [keyof typeof WORDS, string][])
    if (want[key] !== is[key]) return `interface ${name} has ${word} ${is[key]}, not ${want[key]}`
  return undefined
}
