/** The newest Result as JSON of an older version (SPEC.md §5 of each). What an older shape has no place for is left out,
 *  as libcni leaves it out; route attributes are kept from 0.3.0 on, as there. */
import { addressOf, cidrFamily } from '../addr/cidr.ts'
import { type Family, familyOf } from '../addr/ip.ts'
import { CniError, ERR_VERSION } from './error.ts'
import type { Dns, Interface, IpConfig, Result, Route } from './result.ts'
import { isAtLeast, type Version } from './version.ts'

const isEmptyDns = ({ nameservers = [], domain = '', search = [], options = [] }: Dns): boolean =>
  nameservers.length + search.length + options.length === 0 && domain === ''

const oldInterface = ({ name, mac, sandbox }: Interface): object => ({ name, mac, sandbox })

const ipWithVersion = (ip: IpConfig): object => ({ version: String(cidrFamily(ip.address)), ...ip })

const oldRoute = ({ dst, gw }: Route): object => ({ dst, gw })

/** The first address of a family with the family's routes: all that a result before 0.3.0 can say of it. */
const oldIp = (family: Family, { ips = [], routes = [] }: Result): object | undefined => {
  const first = ips.find((ip) => familyOf(addressOf(ip.address)) === family)
  if (first === undefined) return undefined
  const own = routes.filter((route) => cidrFamily(route.dst) === family).map(oldRoute)
  return { ip: first.address, gateway: first.gateway, routes: own.length > 0 ? own : undefined }
}

const oldResult = (version: Version, result: Result): object => {
  const ip4 = oldIp(4, result)
  const ip6 = oldIp(6, result)
  if (ip4 !== undefined || ip6 !== undefined) return { ip4, ip6 }
  throw new CniError(
    ERR_VERSION,
    `a result of version ${version} needs an address, and this attachment has none`,
    'configure ipam, or set cniVersion to 0.3.0 or newer',
  )
}

const newResult = (version: Version, { interfaces, ips, routes }: Result): object =>
  isAtLeast(version, '1.0.0')
    ? { interfaces, ips, routes }
    : { interfaces: interfaces?.map(oldInterface), ips: ips?.map(ipWithVersion), routes }

/** `result` as plain data in the shape of `version`; members that are undefined are not stated.
 *  @throws CniError 1 when that version cannot state it */
export const resultIn = (version: Version, result: Result): object => {
  const shape = isAtLeast(version, '0.3.0') ? newResult(version, result) : oldResult(version, result)
  const dns = result.dns === undefined || isEmptyDns(result.dns) ? undefined : result.dns
  return { cniVersion: version, ...shape, dns }
}
