/** Pages of slots, the unit of the table that answers which addresses an owner has. Pure.
 *
 *  A slot is 64 bytes: the hash of the owner (16, zero when the slot is empty), the address (16), and when it was reserved:
 *  boot id (16) and machine id (16), both zero when unknown. */
import { type Ip, ipBytes, ipOf } from '../../addr/ip.ts'
import { hexBytes } from '../../addr/mac.ts'
import { hashOf } from '../../kernel/owner.ts'
import { hexOf } from './hex.ts'

export const PAGE = 4096
export const SLOT = 64
export const SLOTS = PAGE / SLOT
const ID = 16
const WORD = 4

/** When a reservation was made: ids of 32 hex digits. */
export interface Epoch {
  readonly boot: string
  readonly machine: string
}

const ZEROS = '0'.repeat(2 * ID)
/** Never outdated by another boot. */
export const UNKNOWN: Epoch = { boot: ZEROS, machine: ZEROS }
export const isKnown = ({ boot }: Epoch): boolean => boot !== ZEROS
export const isSameMachine = (a: Epoch, b: Epoch): boolean => a.machine !== ZEROS && a.machine === b.machine
/** An id that is '' is kept as zeros. */
export const epochOf = (boot: string, machine: string): Epoch => ({ boot: boot || ZEROS, machine: machine || ZEROS })

/** 16 bytes for what a reservation's file holds. */
export const hashKey = (key: string): Uint8Array => hexBytes(hashOf(2 * ID, key))

/** `bytes` as numbers of 32 bits: their position must be a multiple of four. */
const wordsOf = ({ buffer, byteOffset, length }: Uint8Array): Uint32Array =>
  new Uint32Array(buffer, byteOffset, length / WORD)

/** The two numbers in a hash, or in the hash a slot begins with, that place it. */
export const placeWords = (hash: Uint8Array): { readonly first: number; readonly second: number } => {
  const words = wordsOf(hash)
  return { first: words[0] ?? 0, second: words[1] ?? 0 }
}

/** The 32 bytes a slot ends with. */
export const encodeEpoch = ({ boot, machine }: Epoch): Uint8Array => hexBytes(boot + machine)
export const decodeEpoch = (bytes: Uint8Array): Epoch => ({
  boot: hexOf(bytes.subarray(0, ID)),
  machine: hexOf(bytes.subarray(ID)),
})

export const encodeSlot = (hash: Uint8Array, address: Ip, epoch: Uint8Array): Uint8Array => {
  const slot = new Uint8Array(SLOT)
  const bytes = ipBytes(address)
  slot.set(hash)
  if (bytes.length < ID) slot.fill(0xff, ID + 10, ID + 12) // ::ffff:0:0/96
  slot.set(bytes, 2 * ID - bytes.length)
  slot.set(epoch, 2 * ID)
  return slot
}

/** A reserved address as its slot tells it. */
export interface Slot {
  /** Index in its page. */
  readonly index: number
  readonly address: Ip
  /** As `encodeEpoch` gives it. */
  readonly epoch: Uint8Array
}

const slotAt = (page: Uint8Array, index: number): Slot => {
  const at = index * SLOT
  return {
    index,
    address: ipOf(page.subarray(at + ID, at + 2 * ID)),
    epoch: page.subarray(at + 2 * ID, at + SLOT),
  }
}

/** Whether both hold the same bytes, at positions that are multiples of four. */
export const isSame = (a: Uint8Array, b: Uint8Array): boolean => {
  const [left, right] = [wordsOf(a), wordsOf(b)]
  let at = 0
  while (at < left.length && left[at] === right[at]) at++
  return at === left.length && at === right.length
}

/** Indexes of the slots that begin with these 16 bytes. */
const slotsWith = (page: Uint8Array, start: Uint8Array): readonly number[] => {
  const wanted = wordsOf(start)
  const words = wordsOf(page)
  const found: number[] = []
  for (let at = 0; at < words.length; at += SLOT / WORD)
    if (
      words[at] === wanted[0] &&
      words[at + 1] === wanted[1] &&
      words[at + 2] === wanted[2] &&
      words[at + 3] === wanted[3]
    )
      found.push((at * WORD) / SLOT)
  return found
}

/** The slots of an owner in a page. */
export const slotsOf = (page: Uint8Array, hash: Uint8Array): readonly Slot[] =>
  slotsWith(page, hash).map((index) => slotAt(page, index))

const NOBODY = new Uint8Array(ID)
/** Index of the first empty slot; undefined when the page is full. */
export const emptySlot = (page: Uint8Array): number | undefined => slotsWith(page, NOBODY)[0]

/** The slots of a page that are not empty. */
export const takenSlots = (page: Uint8Array): readonly Uint8Array[] => {
  const empty = new Set(slotsWith(page, NOBODY))
  return Array.from({ length: SLOTS }, (_, i) => page.subarray(i * SLOT, (i + 1) * SLOT)).filter(
    (_, i) => !empty.has(i),
  )
}
