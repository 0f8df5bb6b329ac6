/** This node as the kernel shows it, before it has a lease, and what it asks for one with. */
import { addressOf, cidrOf, contains, networkOf } from '../../addr/cidr.ts'
import { DecodeError } from '../../addr/error.ts'
import type { Mac } from '../../addr/mac.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { dumpAllAddresses } from '../../netlink/address.ts'
import { getLink } from '../../netlink/link.ts'
import type { Claim } from '../../overlay/claim.ts'
import { vxlanDevice } from '../../overlay/devices.ts'
import { enabledFamilies, familyConf } from '../../overlay/families.ts'
import type { NetConf } from '../../overlay/net-conf.ts'
import type { Site } from '../../overlay/planner.ts'
import { chooseUnderlay, type UnderlayChoice, type UnderlayOptions } from '../../overlay/underlay.ts'
import { observeUnderlay } from '../../overlay/underlay-observe.ts'
import { vxlan } from '../../overlay/vxlan.ts'
import type { VxlanConf } from './conf.ts'

/** Options of the agent, which the choice of the underlay speaks of, and the plugin's keys. The longer ones first. */
const KEYS: readonly (readonly [option: string, key: string])[] = [
  ['--iface-can-reach', '$.ifaceCanReach'],
  ['--iface-regex', '$.ifaceRegex'],
  ['--iface', '$.iface'],
  ['--public-ipv6', '$.publicIPv6'],
  ['--public-ip', '$.publicIP'],
]

const inKeys = (text: string): string => KEYS.reduce((said, [option, key]) => said.replaceAll(option, key), text)

/** @throws DecodeError naming the key */
const choose = (options: UnderlayOptions, kernel: Kernel): UnderlayChoice => {
  try {
    return chooseUnderlay(options, observeUnderlay(options, kernel))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    throw new DecodeError(inKeys(error.path), inKeys(error.problem), { cause: error })
  }
}

const vniOf = ({ backend }: NetConf): number => (backend.kind === 'vxlan' ? backend.vni : 1)

/** Of a device that is there already, whoever made it: the others know this node by it. */
const macOf = (name: string, kernel: Kernel): Mac | undefined => {
  const link = getLink(kernel.route('node'), name)
  return link?.kind === 'vxlan' ? link.mac : undefined
}

/** @throws DecodeError when no interface fits, naming the key; NetlinkError */
export const observeSite = (conf: NetConf, ways: VxlanConf['ways'], kernel: Kernel): Site => {
  const choice = choose({ conf, ...ways }, kernel)
  const [vtepMac, vtepMacV6] = ([4, 6] as const).map((family) => macOf(vxlanDevice(vniOf(conf), family), kernel))
  return {
    ...{ conf, ...choice },
    ...(vtepMac === undefined ? {} : { vtepMac }),
    ...(vtepMacV6 === undefined ? {} : { vtepMacV6 }),
  }
}

/** The subnets that the devices of this network say the node had: their address is a subnet's first. */
export const previousSubnets = (conf: NetConf, kernel: Kernel): Claim['previous'] => {
  const addresses = dumpAllAddresses(kernel.route('node'))
  return enabledFamilies(conf).flatMap((family) => {
    const index = getLink(kernel.route('node'), vxlanDevice(vniOf(conf), family))?.index
    const of = familyConf(conf, family)
    return addresses
      .filter((each) => each.index === index && of !== undefined && contains(of.network, addressOf(each.address)))
      .map((each) => networkOf(cidrOf(addressOf(each.address), of?.subnetLen ?? 0)))
  })
}

export const claimOf = (site: Site, kernel: Kernel): Claim => {
  const { publicIP, publicIPv6, conf } = site
  return {
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined ? {} : { publicIPv6 }),
    backendType: conf.backend.kind,
    ...vxlan.publish(site),
    previous: previousSubnets(conf, kernel),
  }
}
