/** A neighbour or forwarding entry as words, of a fact and of a message of a dump: equal when the kernel has exactly the
 *  permanent entry that is wanted. linux/neighbour.h. */
import { type Neigh, NTF_EXT_LEARNED, NTF_SELF, NUD_NOARP, NUD_PERMANENT } from './neigh.ts'
import { AF_BRIDGE, afOf, RTM_DELNEIGH, RTM_NEWNEIGH } from './rtnetlink.ts'
import { type Batch, begin, end, FLAGS, put, putWords, type Verb } from './word-batch.ts'
import { push, pushBytes, pushIp, pushMac, u16At, u32At, type Words } from './words.ts'

const NDMSG_SIZE = 12
const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_CACHEINFO = 3
const NDA_PROBES = 4
const NDA_PROTOCOL = 12
const NDA_FLAGS_EXT = 15

/** Words before the MAC, and before the address. */
const LLADDR = 2
const ADDRESSES = 4
const MAC_SIZE = 6

const pushHead = (words: Words, family: number, protocol: number, index: number): void => {
  words.length = 0
  push(words, family | (protocol << 8))
  push(words, index)
}

/** The entry that is wanted on link `index`. The mark of a forwarding entry is left out: the kernel takes it at birth only
 *  (vxlan_fdb_update_existing). */
export const neighWords = (words: Words, index: number, { table, ip, lladdr, protocol = 0 }: Neigh): void => {
  if (table === 'fdb') pushHead(words, AF_BRIDGE, 0, index)
  else pushHead(words, afOf(ip.includes(':') ? 6 : 4), protocol, index)
  pushMac(words, lladdr)
  pushIp(words, ip)
}

/** What the attributes of the message that is being read say: where an address stands. */
const found = { protocol: 0, ip: 0, ipEnd: 0, lladdr: 0, lladdrEnd: 0 }

/** False for an attribute that no fact asks for: a port, a VNI. */
const readAttr = (bytes: Uint8Array, type: number, at: number, to: number): boolean => {
  if (type === NDA_DST) [found.ip, found.ipEnd] = [at, to]
  else if (type === NDA_LLADDR) [found.lladdr, found.lladdrEnd] = [at, to]
  else if (type === NDA_PROTOCOL) found.protocol = bytes[at] ?? 0
  else return type === NDA_CACHEINFO || type === NDA_PROBES || type === NDA_FLAGS_EXT
  return true
}

const readAttrs = (bytes: Uint8Array, from: number, to: number): boolean => {
  found.protocol = found.ip = found.ipEnd = found.lladdr = found.lladdrEnd = 0
  for (let at = from + NDMSG_SIZE; at + 4 <= to; ) {
    const length = u16At(bytes, at)
    if (length < 4 || !readAttr(bytes, u16At(bytes, at + 2) & 0x3fff, at + 4, at + length)) return false
    at += (length + 3) & ~3
  }
  return true
}

/** The entry of a dump that stands from its ndmsg, at `from`, to `to`. False for one that is not permanent, that is a
 *  bridge's, or that has what no fact asks for. */
export const readNeighWords = (words: Words, bytes: Uint8Array, from: number, to: number): boolean => {
  const family = bytes[from] ?? 0
  if ((u16At(bytes, from + 8) & NUD_PERMANENT) === 0) return false
  if (family === AF_BRIDGE && ((bytes[from + 10] ?? 0) & NTF_SELF) === 0) return false
  if (!readAttrs(bytes, from, to)) return false
  pushHead(words, family, found.protocol, u32At(bytes, from + 4))
  pushBytes(words, bytes, found.lladdr, found.lladdrEnd)
  pushBytes(words, bytes, found.ip, found.ipEnd)
  return true
}

/** Writes the message that makes or removes the entry `words`; it takes the place of any other. `marked`: NTF_EXT_LEARNED, of
 *  a forwarding entry. */
export const encodeNeighWords = (batch: Batch, verb: Verb, words: Words, marked: boolean): void => {
  const [head = 0, index = 0] = words.values
  const [family, protocol] = [head & 0xff, head >> 8]
  const isFdb = family === AF_BRIDGE
  const state = isFdb ? NUD_PERMANENT | NUD_NOARP : NUD_PERMANENT
  const flags = isFdb ? NTF_SELF | (marked ? NTF_EXT_LEARNED : 0) : 0
  const isRemoval = verb === 'remove'
  const start = begin(batch, isRemoval ? RTM_DELNEIGH : RTM_NEWNEIGH, isRemoval ? FLAGS.remove : FLAGS.replace)
  put(batch, family)
  put(batch, index)
  put(batch, state | (flags << 16))
  putWords(batch, NDA_DST, (words.length - ADDRESSES) * 4, words.values, ADDRESSES)
  putWords(batch, NDA_LLADDR, MAC_SIZE, words.values, LLADDR)
  if (protocol !== 0) {
    put(batch, 5 | (NDA_PROTOCOL << 16))
    put(batch, protocol)
  }
  end(batch, start)
}
