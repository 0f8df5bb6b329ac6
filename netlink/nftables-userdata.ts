/** The TLVs that userspace keeps in NFTA_*_USERDATA, as libnftnl lays them out: type u8, length u8, value. Comments are
 *  text closed by a NUL. libnftnl/udata.h. */
import { concat, readText } from './message.ts'

export const NFTNL_UDATA_COMMENT = 0
export const NFTNL_UDATA_SET_KEYBYTEORDER = 0
export const NFTNL_UDATA_SET_DATABYTEORDER = 1
export const NFTNL_UDATA_SET_KEY_TYPEOF = 3
export const NFTNL_UDATA_SET_DATA_TYPEOF = 4
export const NFTNL_UDATA_SET_DATA_INTERVAL = 6
export const NFTNL_UDATA_SET_COMMENT = 7
/** NFTNL_UDATA_COMMENT_MAXLEN, without the NUL. */
export const COMMENT_MAX = 127

export type Udata = readonly [type: number, value: Uint8Array]

export const encodeUdata = (list: readonly Udata[]): Uint8Array =>
  concat(...list.flatMap(([type, value]) => [Uint8Array.of(type, value.length), value]))

export const decodeUdata = (bytes: Uint8Array): Udata[] => {
  const list: Udata[] = []
  for (let at = 0; at + 2 <= bytes.length; at += 2 + (bytes[at + 1] ?? 0))
    list.push([bytes[at] ?? 0, bytes.subarray(at + 2, at + 2 + (bytes[at + 1] ?? 0))])
  return list
}

const utf8 = new TextEncoder()

/** `text` and its NUL. Cut to 127 bytes, as `nft` does not load longer ones. */
const commentBytes = (text: string): Uint8Array => {
  const bytes = utf8.encode(text).subarray(0, COMMENT_MAX)
  return concat(bytes, Uint8Array.of(0))
}

export const commentUdata = (text: string, type = NFTNL_UDATA_COMMENT): Udata => [type, commentBytes(text)]
/** Userdata that holds a comment and nothing else: of a table, a chain, a rule or an element. */
export const encodeComment = (text: string): Uint8Array => encodeUdata([commentUdata(text)])

/** The comment in userdata; '' when there is none. */
export const decodeComment = (userdata: Uint8Array | undefined, type = NFTNL_UDATA_COMMENT): string =>
  userdata === undefined ? '' : readText(decodeUdata(userdata).find(([t]) => t === type)?.[1])
