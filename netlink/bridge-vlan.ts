/** VLANs of bridge ports: `bridge vlan`. linux/if_bridge.h. */
import {
  type Attr,
  decodeAttrList,
  decodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  readU16,
  readU32,
  u16,
} from './message.ts'
import { AF_BRIDGE, ifinfomsg, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK } from './rtnetlink.ts'
import type { NetlinkSocket } from './socket.ts'

const IFLA_AF_SPEC = 26
const IFLA_EXT_MASK = 29
const RTEXT_FILTER_BRVLAN = 2
const IFLA_BRIDGE_FLAGS = 0
const IFLA_BRIDGE_VLAN_INFO = 2
const BRIDGE_FLAGS_MASTER = 1
const BRIDGE_VLAN_INFO_PVID = 2
const BRIDGE_VLAN_INFO_UNTAGGED = 4

/** A VLAN of a port: `pvid` takes untagged frames in, `untagged` sends them out without a tag. */
export interface PortVlan {
  /** 1 to 4094. */
  readonly vid: number
  readonly pvid: boolean
  readonly untagged: boolean
}

const message = (type: number, index: number, vlan: PortVlan): Message => {
  const flags = (vlan.pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (vlan.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0)
  const info = Uint8Array.of(flags, flags >> 8, vlan.vid, vlan.vid >> 8)
  const spec: Attr[] = [
    [IFLA_BRIDGE_FLAGS, u16(BRIDGE_FLAGS_MASTER)],
    [IFLA_BRIDGE_VLAN_INFO, info],
  ]
  return {
    type,
    flags: NLM_F_REQUEST | NLM_F_ACK,
    header: ifinfomsg(index, 0, 0, AF_BRIDGE),
    attrs: [[IFLA_AF_SPEC, spec]],
  }
}

/** `bridge vlan add vid VID [pvid] [untagged] dev INDEX master`. */
export const newVlan = (index: number, vlan: PortVlan): Message => message(RTM_SETLINK, index, vlan)
/** `bridge vlan del vid VID dev INDEX master`. */
export const delVlan = (index: number, vlan: PortVlan): Message => message(RTM_DELLINK, index, vlan)

const decodeVlan = (info: Uint8Array): PortVlan => {
  const flags = readU16(info)
  return {
    vid: readU16(info.subarray(2)),
    pvid: (flags & BRIDGE_VLAN_INFO_PVID) !== 0,
    untagged: (flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0,
  }
}

/** The VLANs of the port with this index. @throws NetlinkError */
export const dumpVlans = (socket: NetlinkSocket, index: number): PortVlan[] =>
  socket
    .request('bridge vlan show', {
      type: RTM_GETLINK,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      header: ifinfomsg(0, 0, 0, AF_BRIDGE),
      attrs: [[IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN]],
    })
    .filter(({ body }) => readU32(body.subarray(4)) === index)
    .flatMap(({ body }) => decodeAttrList(decodeAttrs(body.subarray(16)).get(IFLA_AF_SPEC) ?? new Uint8Array(0)))
    .filter(([type]) => type === IFLA_BRIDGE_VLAN_INFO)
    .map(([, info]) => decodeVlan(info))
