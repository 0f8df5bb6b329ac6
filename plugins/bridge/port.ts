/** The bridge itself, apart from the plan: its first address, one that is none in STATUS, an idle one in GC. */
import { readFileSync } from 'node:fs'
import { hexBytes, localMacOf, type Mac } from '../../addr/mac.ts'
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { removeLink } from '../../kernel/link-settings.ts'
import { SHARED_ALIAS } from '../../kernel/owner.ts'
import { dumpLinks, getLink } from '../../netlink/link.ts'
import type { BridgeConf } from './conf.ts'

/** A random, locally administered address. Random, because bridges of cloned machines may meet on one link. */
export const newBridgeMac = (): Mac => {
  const hex = readFileSync('/proc/sys/kernel/random/uuid', 'latin1').replaceAll('-', '').slice(0, 12)
  return localMacOf(hexBytes(hex))
}

/** STATUS: an interface of the bridge's name that is no bridge makes every ADD fail. @throws CniError 50 */
export const refuseOtherBridge = (conf: BridgeConf, kernel: Kernel): void => {
  const found = getLink(kernel.route('node'), conf.bridge)
  if (found === undefined || found.kind === 'bridge') return
  throw new CniError(
    ERR_UNAVAILABLE,
    `"bridge" ${conf.bridge} exists and is no bridge`,
    `name another one, or remove it: ip link del ${conf.bridge}`,
  )
}

/** Removes the bridge when podwire made it and nothing but VLAN gateways of its own is on it. */
export const removeIdleBridge = (name: string, kernel: Kernel): void => {
  const links = dumpLinks(kernel.route('node'))
  const bridge = links.find((link) => link.name === name && link.kind === 'bridge' && link.alias === SHARED_ALIAS)
  if (bridge === undefined) return
  const ports = links.filter(({ master }) => master === bridge.index)
  if (ports.some(({ alias }) => alias !== SHARED_ALIAS)) return
  for (const port of ports) removeLink('node', port.name, kernel)
  removeLink('node', name, kernel)
}
