/** A node of an overlay and its peers as values: node N has 192.0.2.N and 2001:db8::N on eth0, and the Nth subnets. */
import { type Cidr, parseCidr } from '../../addr/cidr.ts'
import { type Ip, parseIp } from '../../addr/ip.ts'
import { type Mac, parseMac } from '../../addr/mac.ts'
import type { Json, JsonObject } from '../../cni/plugin.ts'
import { enabledFamilies } from '../../overlay/families.ts'
import type { Lease } from '../../overlay/lease.ts'
import { leaseKey } from '../../overlay/lease-key.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import type { OverlayNode, Site } from '../../overlay/planner.ts'
import { plannerOf } from '../../overlay/planners.ts'

export const IPV4: JsonObject = { Network: '10.244.0.0/16' }
export const IPV6: JsonObject = { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:244::/48' }
export const DUAL: JsonObject = { ...IPV4, EnableIPv6: true, IPv6Network: 'fd00:244::/48' }

/** `families` with `backend`. */
export const confOf = (families: JsonObject, backend: Json): NetConf =>
  parseNetConf(JSON.stringify({ ...families, Backend: backend }))

export const endpointOf = (n: number): { readonly ipv4: Ip; readonly ipv6: Ip } => ({
  ipv4: parseIp(`192.0.2.${n}`),
  ipv6: parseIp(`2001:db8::${n.toString(16)}`),
})
export const subnetsOf = (n: number): { readonly subnet: Cidr; readonly ipv6Subnet: Cidr } => ({
  subnet: parseCidr(`10.244.${n}.0/24`),
  ipv6Subnet: parseCidr(`fd00:244:0:${n.toString(16)}::/64`),
})

/** No key of anybody's: 31 zeros and the node's number. */
export const keyOf = (n: number): string => Buffer.from([...Array(31).fill(0), n]).toString('base64')
export const macOf = (n: number): Mac => parseMac(`0e:00:00:00:00:${n.toString(16).padStart(2, '0')}`)

/** Node `n` before it has a lease; its VTEPs have the MAC `macOf(n)`. */
export const siteOf = (n: number, conf: NetConf): Site => {
  const { ipv4, ipv6 } = endpointOf(n)
  return {
    conf,
    underlay: {
      name: 'eth0',
      mtu: 1500,
      ipv4,
      ipv6,
      addresses: [parseCidr(`${ipv4}/24`), parseCidr(`${ipv6}/64`)],
    },
    ...(conf.ipv4 === undefined ? {} : { publicIP: ipv4 }),
    ...(conf.ipv6 === undefined ? {} : { publicIPv6: ipv6 }),
    privateKey: keyOf(n + 100),
    publicKey: keyOf(n),
    vtepMac: macOf(n),
    vtepMacV6: macOf(n),
  }
}

/** The lease of a node with the Nth subnets. */
export const leaseOf = (n: number, site: Site): Lease => {
  const families = enabledFamilies(site.conf)
  const { subnet, ipv6Subnet } = subnetsOf(n)
  const subnets = { ...(families.includes(4) ? { subnet } : {}), ...(families.includes(6) ? { ipv6Subnet } : {}) }
  return {
    key: leaseKey(subnets),
    ...subnets,
    ...(site.publicIP === undefined ? {} : { publicIP: site.publicIP }),
    ...(site.publicIPv6 === undefined ? {} : { publicIPv6: site.publicIPv6 }),
    backendType: site.conf.backend.kind,
    ...plannerOf(site.conf.backend).publish(site),
  }
}

/** Node `n` with its lease. */
export const nodeOf = (n: number, conf: NetConf): OverlayNode => {
  const site = siteOf(n, conf)
  return { ...site, own: leaseOf(n, site) }
}
