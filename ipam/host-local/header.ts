/** The first page of the index: for which state of the network's directory the index is true. Pure. */
import { bytesOfHex, hexOf } from './hex.ts'
import { PAGE } from './slot.ts'

export interface Header {
  /** Pages of slots that follow. */
  readonly pages: number
  /** Pages to read for one owner. */
  readonly reach: number
  /** False on a file system that others may write too: the index is made anew each time. */
  readonly isLocal: boolean
  /** Inode of the network's directory. */
  readonly inode: number
  /** The modification time we left on the directory, in seconds since 1970. */
  readonly stamp: number
  /** When all reservations were last read, in seconds since 1970. */
  readonly walked: number
  /** Ids of 32 hex digits; zeros when unknown. */
  readonly boot: string
  readonly machine: string
}

/** Names the layout of the index: one of another layout is made anew. */
const LAYOUT = 0x70770001

/** Bytes that are used: four numbers of 32 bits, three of 64, two ids. */
const SIZE = 72

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const encodeHeader = (header: Header): Uint8Array => {
  const bytes = new Uint8Array(PAGE)
  const view = viewOf(bytes)
  const words = [LAYOUT, header.pages, header.reach, header.isLocal ? 1 : 0]
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word, true)
  for (const [i, n] of [header.inode, header.stamp, header.walked].entries()) view.setFloat64(16 + 8 * i, n, true)
  bytes.set(bytesOfHex(header.boot + header.machine), 40)
  return bytes
}

/** Undefined when these are not the bytes of a header of this layout. */
export const decodeHeader = (bytes: Uint8Array): Header | undefined => {
  const view = viewOf(bytes)
  const [layout = 0, pages = 0, reach = 0, isLocal = 0] = [0, 1, 2, 3].map((i) => view.getUint32(4 * i, true))
  const [inode = 0, stamp = 0, walked = 0] = [0, 1, 2].map((i) => view.getFloat64(16 + 8 * i, true))
  if (layout !== LAYOUT || pages === 0 || reach === 0) return undefined
  const boot = hexOf(bytes.subarray(40, 56))
  const machine = hexOf(bytes.subarray(56, SIZE))
  return { pages, reach, isLocal: isLocal === 1, inode, stamp, walked, boot, machine }
}
