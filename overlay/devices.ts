/** Names of the overlay's links: flannel's, so that each takes over what the other made. flannel pkg/backend. */
import type { Family } from '../addr/ip.ts'

export const vxlanDevice = (vni: number, family: Family): string => `flannel${family === 4 ? '' : '-v6'}.${vni}`
export const IPIP_DEVICE = 'flannel.ipip'
/** Of IPv4, or of both families when one device serves both; and of IPv6 alone. */
export const WIREGUARD_DEVICE = { 4: 'flannel-wg', 6: 'flannel-wg-v6' } as const

/** Every link that an overlay with this VNI may have had, whichever its backend was. */
export const overlayDevices = (vni: number): string[] => [
  vxlanDevice(vni, 4),
  vxlanDevice(vni, 6),
  IPIP_DEVICE,
  WIREGUARD_DEVICE[4],
  WIREGUARD_DEVICE[6],
]

const DEVICE = /^flannel(?:(?:-v6)?\.\d+|\.ipip|-wg(?:-v6)?)$/

/** Whether a link is an overlay's, of whichever backend and VNI. */
export const isOverlayDevice = (name: string): boolean => DEVICE.test(name)
