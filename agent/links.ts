/** The overlay's links and the underlay by the index they have now: events name nothing else. */
import type { Kernel } from '../kernel/kernel.ts'
import { getLink } from '../netlink/link.ts'
import type { Links } from './concern.ts'
import type { Desired } from './desired.ts'

export const NO_LINKS: Links = { devices: new Map(), underlay: undefined }

export const linksOf = ({ scope, node }: Desired, kernel: Kernel): Links => {
  const socket = kernel.route('node')
  const found = scope.devices.flatMap((name): [number, string][] => {
    const link = getLink(socket, name)
    return link === undefined ? [] : [[link.index, name]]
  })
  return { devices: new Map(found), underlay: getLink(socket, node.underlay.name)?.index }
}
