/** Our index of a network's reservations, which makes every operation cost the same however many there are. It is a hint:
 *  what it says of an address is checked against the address's file, and when the directory has changed under it, it is
 *  made anew. `docs/ipam.md` has the reasoning. */
import { fstatSync, futimesSync } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { familyOf, type Ip, ipNumber } from '../../addr/ip.ts'
import { CniError, ERR_IO } from '../../cni/error.ts'
import type { Present } from './age.ts'
import type { NextFree } from './allocator.ts'
import { isPresent, remove } from './file.ts'
import type { Header } from './header.ts'
import { makeFolder, type Network } from './network.ts'
import { type Rebuilt, rebuild } from './rebuild.ts'
import { encodeEpoch, encodeSlot, epochOf, hashKey } from './slot.ts'
import { openTable, readTable, type TableFile, writeTable } from './table-file.ts'
import { openUsed, replaceUsed } from './used.ts'

export interface Index {
  /** When all reservations were last read, in seconds since 1970. */
  readonly walked: number
  readonly nextFree: NextFree
  /** Addresses of an owner, `key` being what their files hold. */
  readonly find: (key: string) => readonly Ip[]
  readonly insert: (key: string, address: Ip) => void
  readonly remove: (key: string, address: Ip) => void
  /** Makes the index valid for the directory as it is now: called after the last change of both. */
  readonly commit: () => void
  readonly close: () => void
}

const tableOf = (network: Network): string => `${network.index}/owners`
/** Where a reservation is written before it is published. */
export const draftOf = (network: Network): string => `${network.index}/draft`

const secondsNow = (): number => Math.floor(Date.now() / 1000)

/** Whether the index was made valid in this boot and nobody has changed the directory since. */
const isValid = (header: Header, network: Network): boolean => {
  const { ino, mtimeMs } = fstatSync(network.fd)
  const boot = network.machine.bootId()
  const isOfThisBoot = boot !== '' && header.boot === boot
  return header.isLocal && isOfThisBoot && header.inode === ino && header.stamp * 1000 === mtimeMs
}

/** @throws CniError 5 when something else is in the place of a folder */
const makeFolders = ({ index }: Network): void => {
  makeFolder(index.slice(0, index.lastIndexOf('/')))
  makeFolder(index)
}

/** Removes what a crash left. */
const removeDraft = (network: Network): void => {
  if (isPresent(draftOf(network))) remove(draftOf(network))
}

/** Writes the header with a new stamp and leaves the stamp on the directory as its modification time: the second before
 *  this one, a time that no later change can leave there, however coarse the kernel's clock is. */
const commit = (network: Network, table: TableFile): void => {
  const stamp = secondsNow() - 1
  table.writeHeader({ ...table.header(), stamp })
  futimesSync(network.fd, stamp, stamp)
}

const indexOf = (network: Network, table: TableFile): Index => {
  const used = openUsed(network.index)
  const { walked } = table.header()
  const epoch = encodeEpoch(table.header())
  const mark = (address: Ip, isUsed: boolean): void => used.mark(ipNumber(address), familyOf(address), isUsed)
  return {
    walked,
    nextFree: used.nextFree,
    find: (key) => table.find(hashKey(key)),
    insert: (key, address) => {
      const hash = hashKey(key)
      table.insert(hash, encodeSlot(hash, address, epoch))
      mark(address, true)
    },
    remove: (key, address) => {
      table.remove(hashKey(key), address)
      mark(address, false)
    },
    commit: () => commit(network, table),
    close: table.close,
  }
}

const presentOf = ({ machine, folder }: Network): Present => {
  let bootTime: number | undefined
  return {
    now: epochOf(machine.bootId(), machine.machineId()),
    bootTime: () => (bootTime ??= machine.bootTime()),
    isLocal: machine.isLocal(folder),
  }
}

/** Puts `rebuilt` on disk. There is no table in the meantime, so an index half written is never taken for a whole one. */
const write = (network: Network, rebuilt: Rebuilt, { now, isLocal }: Present): void => {
  const path = tableOf(network)
  const inode = fstatSync(network.fd).ino
  remove(path)
  replaceUsed(network.index, rebuilt.chunks)
  writeTable(path, { pages: 0, reach: 0, isLocal, inode, stamp: 0, walked: secondsNow(), ...now }, rebuilt.table)
}

export interface Remade {
  readonly index: Index
  /** Why reservations that are left over could not be removed. */
  readonly failures: readonly unknown[]
}

/** A new index, made by reading all reservations; those left over, and those of which `isUnwanted` holds, are removed. */
export const remakeIndex = (network: Network, isUnwanted = (_key: string): boolean => false): Remade => {
  const present = presentOf(network)
  makeFolders(network)
  removeDraft(network)
  const path = tableOf(network)
  const rebuilt = rebuild(network.folder, readTable(path), present, isUnwanted)
  write(network, rebuilt, present)
  const table = openTable(path)
  if (table === undefined) throw new CniError(ERR_IO, `${quote(path)} does not hold what was written to it`)
  commit(network, table)
  return { index: indexOf(network, table), failures: rebuilt.failures }
}

/** The index of the network, made anew if it is absent or the directory has changed under it. */
export const openIndex = (network: Network): Index => {
  removeDraft(network)
  const table = openTable(tableOf(network))
  if (table !== undefined && isValid(table.header(), network)) return indexOf(network, table)
  table?.close()
  return remakeIndex(network).index
}
