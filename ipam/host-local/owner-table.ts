/** The table of owners: pages of slots, an owner's slots in the page its hash names. Pure.
 *
 *  A page that is full sends a slot on to the next of a sequence that the hash names too. `reach` counts the pages of that
 *  sequence a look-up must read: one, unless dozens of addresses have one owner. */
import { PAGE, placeWords, SLOT, SLOTS, takenSlots } from './slot.ts'

export interface OwnerTable {
  /** A power of two of pages, one after another. */
  readonly pages: Uint8Array
  readonly reach: number
}

/** Slots to plan for in a page of 64, so that hardly one overflows. */
const TYPICAL = 32

/** Pages for `count` slots. */
export const pageCountFor = (count: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, count / TYPICAL)))

export const pageAt = (pages: Uint8Array, page: number): Uint8Array => pages.subarray(page * PAGE, (page + 1) * PAGE)

/** Index of the page to look at after `tries` others. An odd step meets every page before it meets one twice. */
const placeOf = (hash: Uint8Array, tries: number, pageCount: number): number => {
  const { first, second } = placeWords(hash)
  return (first + tries * ((second | 1) >>> 0)) % pageCount
}

/** Indexes of the pages that may hold the owner's slots. */
export const placesOf = (hash: Uint8Array, pageCount: number, reach: number): readonly number[] => {
  const places: number[] = []
  while (places.length < Math.min(reach, pageCount)) places.push(placeOf(hash, places.length, pageCount))
  return places
}

export interface TableBuilder {
  readonly add: (slot: Uint8Array) => void
  readonly build: () => OwnerTable
}

/** A builder of a table with more than enough pages for the slots that will be added. */
export const tableBuilder = (pageCount: number): TableBuilder => {
  const pages = new Uint8Array(pageCount * PAGE)
  const filled = new Uint8Array(pageCount)
  let reach = 1
  const add = (slot: Uint8Array): void => {
    let tries = 0
    let page = placeOf(slot, 0, pageCount)
    while (filled[page] === SLOTS) page = placeOf(slot, ++tries, pageCount)
    const index = filled[page] ?? 0
    pages.set(slot, page * PAGE + index * SLOT)
    filled[page] = index + 1
    reach = Math.max(reach, tries + 1)
  }
  return { add, build: () => ({ pages, reach }) }
}

/** A table with the slots of `pages` and room for as many again. */
export const enlarged = (pages: Uint8Array): OwnerTable => {
  const slots = Array.from({ length: pages.length / PAGE }, (_, i) => takenSlots(pageAt(pages, i))).flat()
  const builder = tableBuilder(pageCountFor(2 * (slots.length + 1)))
  for (const slot of slots) builder.add(slot)
  return builder.build()
}
