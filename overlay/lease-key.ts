/** What etcd calls a lease: its subnets. flannel pkg/subnet `MakeSubnetKey`, `ParseSubnetKey`. */
import { addressOf, type Cidr, lengthOf, networkOf, readCidr } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import type { Lease } from './lease.ts'

export type LeaseSubnets = Pick<Lease, 'subnet' | 'ipv6Subnet'>

/** What stands where a lease has no IPv4 subnet: Go's zero value. */
const NO_IPV4 = '0.0.0.0-0'
const KEY = /^([\d.]+)-(\d{1,2})(?:&([\da-f:]+)-(\d{1,3}))?$/

const written = (subnet: Cidr): string => `${addressOf(subnet)}-${lengthOf(subnet)}`

/** `10.5.52.0-24`, `10.5.52.0-24&fd00:0:0:1::-64`, or `0.0.0.0-0&fd00:0:0:1::-64`. */
export const leaseKey = ({ subnet, ipv6Subnet }: LeaseSubnets): string =>
  [subnet === undefined ? NO_IPV4 : written(subnet), ...(ipv6Subnet === undefined ? [] : [written(ipv6Subnet)])].join(
    '&',
  )

const readSubnet = (key: string, address: string, length: string): Cidr => {
  const subnet = readCidr(`${address}/${length}`)
  if (subnet === undefined) throw new DecodeError('key', `${quote(key)}: ${address}-${length} is no subnet`)
  if (networkOf(subnet) === subnet) return subnet
  throw new DecodeError('key', `${quote(key)}: ${address}-${length} has host bits set`)
}

/** The subnets that `key`, without the folder it is in, names. @throws DecodeError */
export const parseLeaseKey = (key: string): LeaseSubnets => {
  const [, ipv4 = '', length = '', ipv6, ipv6Length = ''] = KEY.exec(key) ?? []
  const hasIpv4 = `${ipv4}-${length}` !== NO_IPV4
  if (ipv4 === '' || (!hasIpv4 && ipv6 === undefined))
    throw new DecodeError(
      'key',
      `${quote(key)} names no subnet: such as "10.5.52.0-24" or "10.5.52.0-24&fd00:0:0:1::-64" does`,
    )
  return {
    ...(hasIpv4 ? { subnet: readSubnet(key, ipv4, length) } : {}),
    ...(ipv6 === undefined ? {} : { ipv6Subnet: readSubnet(key, ipv6, ipv6Length) }),
  }
}
