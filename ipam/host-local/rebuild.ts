/** The index made anew from the reservations themselves, of which those that are left over are removed on the way. */
import { familyOf, type Ip, ipNumber } from '../../addr/ip.ts'
import { epochToNote, isOutdated, type Present } from './age.ts'
import { type Chunks, markerOf } from './bitmap.ts'
import { remove } from './file.ts'
import { type OwnerTable, pageAt, pageCountFor, placesOf, tableBuilder } from './owner-table.ts'
import { decodeEpoch, encodeEpoch, encodeSlot, hashKey, isSame, PAGE, slotsOf, UNKNOWN } from './slot.ts'
import { type Reservation, readReservation, reservedIn } from './walk.ts'

export interface Rebuilt {
  readonly table: OwnerTable
  readonly chunks: Chunks
  /** Why left-over reservations could not be removed. */
  readonly failures: readonly unknown[]
}

/** What a table noted of a reservation's age, as bytes. */
const epochIn = ({ pages, reach }: OwnerTable, hash: Uint8Array, address: Ip): Uint8Array | undefined => {
  for (const page of placesOf(hash, pages.length / PAGE, reach))
    for (const slot of slotsOf(pageAt(pages, page), hash)) if (slot.address === address) return slot.epoch
  return undefined
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
  const mark = markerOf(chunks)
  const failures: unknown[] = []
  const builder = tableBuilder(pageCountFor(addresses.length + 1))
  const now = encodeEpoch(present.now)
  for (const address of addresses) {
    const reservation = readReservation(folder, address)
    if (reservation === undefined) continue
    const { key, mtime } = reservation
    const hash = hashKey(key ?? '')
    const noted = earlier === undefined ? undefined : epochIn(earlier, hash, address)
    // nearly all are of this boot: no need to make text of that
    const epoch = noted === undefined ? undefined : isSame(noted, now) ? present.now : decodeEpoch(noted)
    const isLeftOver = key === '' || (key !== undefined && (isUnwanted(key) || isOutdated({ epoch, mtime }, present)))
    if (isLeftOver && isRemoved(reservation, failures)) continue
    mark(ipNumber(address), familyOf(address))
    const note = epochToNote(epoch, present) ?? UNKNOWN
    if (key) builder.add(encodeSlot(hash, address, note === present.now ? now : encodeEpoch(note)))
  }
  return { table: builder.build(), chunks, failures }
}
