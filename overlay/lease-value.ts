/** What a store holds for a lease: flannel's JSON, byte for byte as flanneld writes it. flannel pkg/lease `LeaseAttrs`,
 *  pkg/ip `IP4` and `IP6`, pkg/backend/vxlan `vxlanLeaseAttrs`, pkg/backend/wireguard `wireguardLeaseAttrs`. */
import { DecodeError, quote } from '../addr/error.ts'
import { type Family, familyOf, type Ip, ipNumber, readIp } from '../addr/ip.ts'
import { parseMac } from '../addr/mac.ts'
import type { Json, JsonObject } from '../cni/plugin.ts'
import { isWireguardKey } from '../netlink/wireguard-key.ts'
import type { BackendData, Lease, LeaseAttributes } from './lease.ts'
import { parseLeaseKey } from './lease-key.ts'
import { MAX_PORT, MAX_VNI } from './limits.ts'
import { type Members, membersOf, shapeOf } from './members.ts'

const SHAPE = shapeOf('PublicIP', 'PublicIPv6', 'BackendType', 'BackendData', 'BackendV6Data')
const DATA_SHAPE = shapeOf('VNI', 'VtepMAC', 'PublicKey', 'Port')

const readVxlan = (members: Members): BackendData => {
  const vni = members.whole('VNI', 0, MAX_VNI)
  const mac = members.text('VtepMAC')
  return {
    ...(vni === undefined ? {} : { vni }),
    ...(mac === undefined ? {} : { vtepMac: parseMac(mac, `${members.path}.VtepMAC`) }),
  }
}

const readWireguard = (members: Members): BackendData => {
  const publicKey = members.text('PublicKey')
  const port = members.whole('Port', 0, MAX_PORT)
  if (publicKey !== undefined && !isWireguardKey(publicKey))
    throw new DecodeError(`${members.path}.PublicKey`, `${quote(publicKey)} is not 32 bytes in base64`)
  return { ...(publicKey === undefined ? {} : { publicKey }), ...(port ? { port } : {}) }
}

/** `BackendData` or `BackendV6Data`, or one of the annotations `backend-data` and `backend-v6-data` as JSON. That of a
 *  backend which is not run here is not looked into. @throws DecodeError */
export const decodeBackendData = (backendType: string, value: unknown, path: string): BackendData => {
  if (value === undefined || value === null) return {}
  if (backendType === 'vxlan') return readVxlan(membersOf(value, path, DATA_SHAPE))
  return backendType === 'wireguard' ? readWireguard(membersOf(value, path, DATA_SHAPE)) : {}
}

/** What flannel writes as `BackendData`; undefined when there is nothing to write. */
export const encodeBackendData = ({ vni, vtepMac, publicKey, port }: BackendData): JsonObject | undefined => {
  const data = {
    ...(vni === undefined ? {} : { VNI: vni }),
    ...(vtepMac === undefined ? {} : { VtepMAC: vtepMac }),
    ...(publicKey === undefined ? {} : { PublicKey: publicKey }),
    ...(port === undefined ? {} : { Port: port }),
  }
  return Object.keys(data).length === 0 ? undefined : data
}

/** An address; undefined when it is left out or the zero address, which is none in Go. */
const readAddress = (members: Members, key: string, family: Family): Ip | undefined => {
  const text = members.text(key)
  if (text === undefined) return undefined
  const address = readIp(text)
  if (address === undefined || familyOf(address) !== family)
    throw new DecodeError(`${members.path}.${key}`, `${quote(text)} is not an IPv${family} address`)
  return ipNumber(address) === 0n ? undefined : address
}

/** The attributes in `value`, parsed JSON. @throws DecodeError */
export const decodeAttributes = (value: unknown): LeaseAttributes => {
  const members = membersOf(value, '$', SHAPE)
  const backendType = members.text('BackendType') ?? ''
  const publicIP = readAddress(members, 'PublicIP', 4)
  const publicIPv6 = readAddress(members, 'PublicIPv6', 6)
  return {
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined ? {} : { publicIPv6 }),
    backendType,
    data: decodeBackendData(backendType, members.any('BackendData'), '$.BackendData'),
    v6Data: decodeBackendData(backendType, members.any('BackendV6Data'), '$.BackendV6Data'),
  }
}

/** The lease that a store holds under `key` (without its folder) as `value` (parsed JSON). Other members of `value`, such
 *  as the `Expiration` of the file store, are left to the caller. @throws DecodeError */
export const decodeLease = (key: string, value: unknown): Lease => ({
  key,
  ...parseLeaseKey(key),
  ...decodeAttributes(value),
})

/** `attributes` as the JSON object that flanneld writes, its members in Go's order. */
export const leaseValue = ({ publicIP, publicIPv6, backendType, data, v6Data }: LeaseAttributes): JsonObject => {
  const members: readonly (readonly [string, Json | undefined])[] = [
    ['PublicIP', publicIP ?? '0.0.0.0'],
    ['PublicIPv6', publicIPv6 ?? null],
    ['BackendType', backendType === '' ? undefined : backendType],
    ['BackendData', encodeBackendData(data)],
    ['BackendV6Data', encodeBackendData(v6Data)],
  ]
  return Object.fromEntries(members.filter((member): member is readonly [string, Json] => member[1] !== undefined))
}

/** `leaseValue` as text. */
export const encodeLease = (attributes: LeaseAttributes): string => JSON.stringify(leaseValue(attributes))
