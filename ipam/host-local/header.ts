/** The first page of the index: for which state of the network's directory the index is true. Pure. */
import { hexBytes } from '../../addr/mac.ts'
import { hexOf } from './hex.ts'
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

/** Where the fields are; the ids of 16 bytes follow one another. Little endian. */
const AT = { layout: 0, pages: 4, reach: 8, isLocal: 12, inode: 16, stamp: 24, walked: 32, boot: 40, machine: 56 }
const SIZE = 72

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const encodeHeader = ({ pages, reach, isLocal, inode, stamp, walked, boot, machine }: Header): Uint8Array => {
  const bytes = new Uint8Array(PAGE)
  const view = viewOf(bytes)
  view.setUint32(AT.layout, LAYOUT, true)
  view.setUint32(AT.pages, pages, true)
  view.setUint32(AT.reach, reach, true)
  view.setUint32(AT.isLocal, isLocal ? 1 : 0, true)
  view.setFloat64(AT.inode, inode, true)
  view.setFloat64(AT.stamp, stamp, true)
  view.setFloat64(AT.walked, walked, true)
  bytes.set(hexBytes(boot + machine), AT.boot)
  return bytes
}

/** Undefined when these are not the bytes of a header of this layout. */
export const decodeHeader = (bytes: Uint8Array): Header | undefined => {
  const view = viewOf(bytes)
  const pages = view.getUint32(AT.pages, true)
  const reach = view.getUint32(AT.reach, true)
  if (view.getUint32(AT.layout, true) !== LAYOUT || pages === 0 || reach === 0) return undefined
  return {
    pages,
    reach,
    isLocal: view.getUint32(AT.isLocal, true) === 1,
    inode: view.getFloat64(AT.inode, true),
    stamp: view.getFloat64(AT.stamp, true),
    walked: view.getFloat64(AT.walked, true),
    boot: hexOf(bytes.subarray(AT.boot, AT.machine)),
    machine: hexOf(bytes.subarray(AT.machine, SIZE)),
  }
}
