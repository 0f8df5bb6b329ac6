/** Keys of neighbours and forwarding entries: texts that are equal when the kernel has exactly the permanent entry that is
 *  wanted, as route-key.ts. '' is the key of any other: of one that is not permanent, of a bridge's, with a port of its own.
 *  linux/neighbour.h. */
import { ipText, macText, textAt, u16At, u32At, wordText } from './key-text.ts'
import { type Neigh, NTF_SELF, NUD_PERMANENT } from './neigh.ts'
import { AF_BRIDGE, afOf } from './rtnetlink.ts'

const NDMSG_SIZE = 12
const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_CACHEINFO = 3
const NDA_PROBES = 4
const NDA_PROTOCOL = 12
const NDA_FLAGS_EXT = 15

const neighText = (family: number, protocol: number, index: number, ip: string, lladdr: string): string =>
  `${String.fromCharCode((family << 8) | protocol)}${wordText(index)}${lladdr}|${ip}`

/** Of an entry that is wanted on link `index`. The mark of a forwarding entry is left out: the kernel takes it at birth
 *  only (vxlan_fdb_update_existing). */
export const neighKey = (index: number, { table, ip, lladdr, protocol = 0 }: Neigh): string =>
  table === 'fdb'
    ? neighText(AF_BRIDGE, 0, index, ipText(ip), macText(lladdr))
    : neighText(afOf(ip.includes(':') ? 6 : 4), protocol, index, ipText(ip), macText(lladdr))

/** Of a neighbour or forwarding entry of a dump: of what stands from its ndmsg to its end. */
export const neighKeyOf = (bytes: Uint8Array, from: number, to: number): string => {
  const family = bytes[from] ?? 0
  if ((u16At(bytes, from + 8) & NUD_PERMANENT) === 0) return ''
  if (family === AF_BRIDGE && ((bytes[from + 10] ?? 0) & NTF_SELF) === 0) return ''
  let ip = ''
  let lladdr = ''
  let protocol = 0
  for (let at = from + NDMSG_SIZE; at + 4 <= to; ) {
    const length = u16At(bytes, at)
    if (length < 4) return ''
    const type = u16At(bytes, at + 2) & 0x3fff
    if (type === NDA_DST) ip = textAt(bytes, at + 4, at + length)
    else if (type === NDA_LLADDR) lladdr = textAt(bytes, at + 4, at + length)
    else if (type === NDA_PROTOCOL) protocol = bytes[at + 4] ?? 0
    else if (type !== NDA_CACHEINFO && type !== NDA_PROBES && type !== NDA_FLAGS_EXT) return ''
    at += (length + 3) & ~3
  }
  return neighText(family, protocol, u32At(bytes, from + 4), ip, lladdr)
}
