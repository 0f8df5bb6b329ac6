/** The table of owners on disk: a header page and pages of slots, changed in place. */
import { closeSync, fstatSync, openSync, renameSync } from 'node:fs'
import type { Ip } from '../../addr/ip.ts'
import { EDIT, isPresent, READ, REPLACE, readAt, withFile, writeAt } from './file.ts'
import { decodeHeader, encodeHeader, type Header } from './header.ts'
import { enlarged, type OwnerTable, placesOf } from './owner-table.ts'
import { emptySlot, PAGE, SLOT, slotsOf } from './slot.ts'

export interface TableFile {
  readonly header: () => Header
  readonly writeHeader: (header: Header) => void
  readonly find: (hash: Uint8Array) => readonly Ip[]
  readonly insert: (hash: Uint8Array, slot: Uint8Array) => void
  readonly remove: (hash: Uint8Array, address: Ip) => void
  readonly close: () => void
}

const readPage = (fd: number, page: number): Uint8Array => {
  const bytes = new Uint8Array(PAGE)
  readAt(fd, bytes, page * PAGE)
  return bytes
}

/** Undefined for a file that is not whole. */
const readHeader = (fd: number): Header | undefined => {
  const header = decodeHeader(readPage(fd, 0))
  return header !== undefined && fstatSync(fd).size === (header.pages + 1) * PAGE ? header : undefined
}

/** Pages of the file in which the owner's slots may be. */
const filePages = (hash: Uint8Array, { pages, reach }: Header): readonly number[] =>
  placesOf(hash, pages, reach).map((page) => page + 1)

const addressesAt = (fd: number, places: readonly number[], hash: Uint8Array): readonly Ip[] => {
  const addresses: Ip[] = []
  for (const page of places) for (const { address } of slotsOf(readPage(fd, page), hash)) addresses.push(address)
  return addresses
}

const writeSlot = (fd: number, page: number, index: number, slot: Uint8Array): void =>
  writeAt(fd, slot, page * PAGE + index * SLOT)

/** Whether there was room. */
const insertAt = (fd: number, places: readonly number[], slot: Uint8Array): boolean =>
  places.some((page) => {
    const index = emptySlot(readPage(fd, page))
    if (index !== undefined) writeSlot(fd, page, index, slot)
    return index !== undefined
  })

const removeAt = (fd: number, page: number, hash: Uint8Array, address: Ip): void => {
  for (const slot of slotsOf(readPage(fd, page), hash))
    if (slot.address === address) writeSlot(fd, page, slot.index, new Uint8Array(SLOT))
}

const readSlots = (fd: number, header: Header): Uint8Array => {
  const slots = new Uint8Array(header.pages * PAGE)
  readAt(fd, slots, PAGE)
  return slots
}

const headerFor = (header: Header, { pages, reach }: OwnerTable): Header => ({
  ...header,
  pages: pages.length / PAGE,
  reach,
})

/** Puts a whole table in the place of the file at `path`, at once. */
export const writeTable = (path: string, header: Header, table: OwnerTable): void => {
  const draft = `${path}.new`
  withFile(draft, REPLACE, (fd) => {
    writeAt(fd, encodeHeader(headerFor(header, table)), 0)
    writeAt(fd, table.pages, PAGE)
  })
  renameSync(draft, path)
}

/** The whole table; undefined when there is none of this version. */
export const readTable = (path: string): OwnerTable | undefined => {
  if (!isPresent(path)) return undefined
  return withFile(path, READ, (fd) => {
    const header = readHeader(fd)
    return header === undefined ? undefined : { pages: readSlots(fd, header), reach: header.reach }
  })
}

/** Undefined when there is no table of this version. */
export const openTable = (path: string): TableFile | undefined => {
  if (!isPresent(path)) return undefined
  const fd = openSync(path, EDIT)
  const found = readHeader(fd)
  if (found === undefined) closeSync(fd)
  return found === undefined ? undefined : tableFile(path, fd, found)
}

const tableFile = (path: string, opened: number, found: Header): TableFile => {
  let fd = opened
  let header = found
  const enlarge = (): void => {
    const table = enlarged(readSlots(fd, header))
    writeTable(path, header, table)
    closeSync(fd)
    fd = openSync(path, EDIT)
    header = headerFor(header, table)
  }
  const place = (hash: Uint8Array, slot: Uint8Array): boolean => insertAt(fd, filePages(hash, header), slot)
  const insert = (hash: Uint8Array, slot: Uint8Array): void => {
    if (place(hash, slot)) return
    enlarge()
    while (!place(hash, slot)) header = { ...header, reach: header.reach + 1 } // one owner has all these pages
  }
  return {
    header: () => header,
    writeHeader: (next) => {
      header = next
      writeAt(fd, encodeHeader(next), 0)
    },
    find: (hash) => addressesAt(fd, filePages(hash, header), hash),
    insert,
    remove: (hash, address) => {
      for (const page of filePages(hash, header)) removeAt(fd, page, hash, address)
    },
    close: () => closeSync(fd),
  }
}
