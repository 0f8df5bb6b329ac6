/** The index made anew from the reservations themselves, of which those that are left over are removed on the way. */
import { familyOf, type Ip, ipNumber } from '../../addr/ip.ts'
import { epochToNote, isOutdated, type Present } from './age.ts'
import { type Chunks, markUsed } from './bitmap.ts'
import { remove } from './file.ts'
import { type OwnerTable, pageAt, pageCountFor, placesOf, tableBuilder } from './owner-table.ts'
import { type Epoch, encodeSlot, hashKey, PAGE, slotsOf, UNKNOWN } from './slot.ts'
import { type Reservation, readReservation, reservedIn } from './walk.ts'

export interface Rebuilt {
  readonly table: OwnerTable
  readonly chunks: Chunks
  /** Why left-over reservations could not be removed. */
  readonly failures: readonly unknown[]
}

const epochIn = ({ pages, reach }: OwnerTable, hash: Uint8Array, address: Ip): Epoch | undefined => {
  const places = placesOf(hash, pages.length / PAGE, reach)
  const slots = places.flatMap((page) => slotsOf(pageAt(pages, page), hash))
  return slots.find((slot) => slot.address === address)?.epoch()
}

/** Whether the reservation was removed; a reason why not goes to `failures`. */
const isRemoved = ({ path }: Reservation, failures: unknown[]): boolean => {
  try {
    remove(path)
    return true
  } catch (error) {
    failures.push(error)
    return false
  }
}

/** Reads every reservation in `folder`. `earlier` is the index as it was, for what it noted of their age; those of which
 *  `isUnwanted` holds are removed too. */
export const rebuild = (
  folder: string,
  earlier: OwnerTable | undefined,
  present: Present,
  isUnwanted: (key: string) => boolean,
): Rebuilt => {
  const addresses = reservedIn(folder)
  const chunks: Chunks = new Map()
  const failures: unknown[] = []
  const builder = tableBuilder(pageCountFor(2 * (addresses.length + 1)))
  for (const address of addresses) {
    const reservation = readReservation(folder, address)
    if (reservation === undefined) continue
    const { key, mtime } = reservation
    const hash = hashKey(key ?? '')
    const epoch = earlier === undefined ? undefined : epochIn(earlier, hash, address)
    const isLeftOver = key === '' || (key !== undefined && (isUnwanted(key) || isOutdated({ epoch, mtime }, present)))
    if (isLeftOver && isRemoved(reservation, failures)) continue
    markUsed(chunks, ipNumber(address), familyOf(address))
    if (key) builder.add(encodeSlot(hash, address, epochToNote(epoch, present) ?? UNKNOWN))
  }
  return { table: builder.build(), chunks, failures }
}
