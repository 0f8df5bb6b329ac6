/** The keys of `bridge`, typed. Upstream: containernetworking/plugins `plugins/main/bridge`. */
import { DecodeError, quote } from '../../addr/error.ts'
import { type Mac, parseMac } from '../../addr/mac.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Dns } from '../../cni/result.ts'

export interface BridgeConf {
  readonly bridge: string
  readonly isGateway: boolean
  readonly isDefaultGateway: boolean
  readonly forceAddress: boolean
  readonly ipMasq: boolean
  readonly ipMasqBackend: 'nftables' | 'iptables'
  /** Bytes; undefined: the kernel's default. */
  readonly mtu: number | undefined
  readonly hairpinMode: boolean
  readonly promiscMode: boolean
  /** 0: none. */
  readonly vlan: number
  /** Tagged VLANs of the port; undefined when the key is absent. */
  readonly trunk: readonly number[] | undefined
  readonly preserveDefaultVlan: boolean
  readonly macspoofchk: boolean
  readonly enabledad: boolean
  readonly disableContainerInterface: boolean
  readonly portIsolation: boolean
  /** False: layer 2 only. */
  readonly ipam: boolean
  readonly dns: Dns | undefined
  readonly mac: Mac | undefined
}

/** The keys as the schema `conf/schemas/bridge.json` lets them through. */
interface Keys {
  readonly bridge?: string
  readonly isGateway?: boolean
  readonly isDefaultGateway?: boolean
  readonly forceAddress?: boolean
  readonly ipMasq?: boolean
  readonly ipMasqBackend?: 'nftables' | 'iptables'
  readonly mtu?: number
  readonly hairpinMode?: boolean
  readonly promiscMode?: boolean
  readonly vlan?: number
  readonly vlanTrunk?: readonly TrunkKeys[]
  readonly preserveDefaultVlan?: boolean
  readonly macspoofchk?: boolean
  readonly enabledad?: boolean
  readonly disableContainerInterface?: boolean
  readonly portIsolation?: boolean
  readonly ipam?: { readonly type?: string }
  readonly dns?: Dns
  readonly args?: { readonly cni?: { readonly mac?: string } }
  readonly runtimeConfig?: { readonly mac?: string }
}

interface TrunkKeys {
  readonly minID?: number
  readonly maxID?: number
  readonly id?: number
}

const rangeOf = (keys: TrunkKeys, path: string): number[] => {
  const { minID, maxID, id } = keys
  const single = id === undefined ? [] : [id]
  if (minID === undefined || maxID === undefined) {
    if (minID === undefined && maxID === undefined && id !== undefined) return single
    throw new DecodeError(path, `${quote(keys)} names no VLAN: give "id", or "minID" and "maxID"`)
  }
  if (minID > maxID) throw new DecodeError(`${path}.minID`, `${minID} is above "maxID" ${maxID}`)
  return [...Array.from({ length: maxID - minID + 1 }, (_, i) => minID + i), ...single]
}

/** The VLANs of `vlanTrunk`, ascending, each once. @throws DecodeError */
const trunkOf = (trunk: readonly TrunkKeys[]): number[] =>
  [...new Set(trunk.flatMap((keys, i) => rangeOf(keys, `$.vlanTrunk[${i}]`)))].sort((a, b) => a - b)

/** runtimeConfig before args.cni before CNI_ARGS. @throws DecodeError */
const macOf = (keys: Keys, call: Call): Mac | undefined => {
  const wanted: readonly (readonly [path: string, mac: string | undefined])[] = [
    ['$.runtimeConfig.mac', keys.runtimeConfig?.mac],
    ['$.args.cni.mac', keys.args?.cni?.mac],
    ['CNI_ARGS MAC', call.args.MAC],
  ]
  const found = wanted.find(([, mac]) => mac !== undefined && mac !== '')
  return found?.[1] === undefined ? undefined : parseMac(found[1], found[0])
}

const isSet = (dns: Dns | undefined): dns is Dns => dns !== undefined && Object.keys(dns).length > 0

/** @throws CniError 7 for keys that exclude each other */
const refuseConflicts = (conf: BridgeConf): void => {
  const pairs: readonly (readonly [boolean, string, string])[] = [
    [
      conf.hairpinMode && conf.promiscMode,
      '"hairpinMode": true and "promiscMode": true exclude each other',
      'a promiscuous bridge would deliver hairpin frames twice: leave one of them out',
    ],
    [
      conf.disableContainerInterface && conf.ipam,
      '"disableContainerInterface": true and "ipam" exclude each other',
      'an interface that stays down takes no address: leave one of them out',
    ],
  ]
  for (const [wrong, msg, todo] of pairs) if (wrong) throw new CniError(ERR_CONFIG, msg, todo)
}

const confOf = (keys: Keys, call: Call): BridgeConf => ({
  bridge: keys.bridge || 'cni0',
  isGateway: keys.isGateway === true || keys.isDefaultGateway === true,
  isDefaultGateway: keys.isDefaultGateway ?? false,
  forceAddress: keys.forceAddress ?? false,
  ipMasq: keys.ipMasq ?? false,
  ipMasqBackend: keys.ipMasqBackend ?? 'nftables',
  mtu: keys.mtu || undefined,
  hairpinMode: keys.hairpinMode ?? false,
  promiscMode: keys.promiscMode ?? false,
  vlan: keys.vlan ?? 0,
  trunk: keys.vlanTrunk === undefined ? undefined : trunkOf(keys.vlanTrunk),
  preserveDefaultVlan: keys.preserveDefaultVlan ?? false,
  macspoofchk: keys.macspoofchk ?? false,
  enabledad: keys.enabledad ?? false,
  disableContainerInterface: keys.disableContainerInterface ?? false,
  portIsolation: keys.portIsolation ?? false,
  ipam: (keys.ipam?.type ?? '') !== '',
  dns: isSet(keys.dns) ? keys.dns : undefined,
  mac: macOf(keys, call),
})

/** @throws DecodeError, CniError 7 */
export const parseBridgeConf = (call: Call): BridgeConf => {
  const conf = confOf(call.conf as Keys, call)
  refuseConflicts(conf)
  return conf
}
