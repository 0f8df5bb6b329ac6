/** Reservations made and released. Everything here happens while the network's lock is held. */
import { fstatSync, ftruncateSync, linkSync } from 'node:fs'
import { type Ip, readIp } from '../../addr/ip.ts'
import { CREATE, codeOf, isPresent, READ, readText, remove, UPDATE, withFile, writeText } from './file.ts'
import { draftOf, type Index, openIndex } from './index.ts'
import type { Network } from './network.ts'
import { lastReservedName } from './reservation.ts'
import { readReservation, reservedIn } from './walk.ts'

const LONGEST_ADDRESS = 64

/** The address that range set `set` gave last, to either implementation's attachments; undefined when unknown. */
export const readLast = (folder: string, set: number): Ip | undefined => {
  const path = `${folder}/${lastReservedName(set)}`
  return isPresent(path) ? readIp(withFile(path, READ, (fd) => readText(fd, LONGEST_ADDRESS))) : undefined
}

/** In place, not truncated first: ext4 flushes a file that is. */
const writeLast = (folder: string, set: number, address: Ip): void =>
  withFile(`${folder}/${lastReservedName(set)}`, UPDATE, (fd) => {
    writeText(fd, address)
    if (fstatSync(fd).size > address.length) ftruncateSync(fd, address.length)
  })

/** Makes a file that must not exist. */
const create = (path: string, key: string): void => withFile(path, CREATE, (fd) => writeText(fd, key))

/** Why a link cannot be made where a file can: another file system, one without links, too many of them. */
const NO_LINKS = ['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK']

/** Makes `path` a link to the draft: a reader finds no file or a whole one. @throws Error EEXIST and others of node:fs */
const publish = (draft: string, path: string, key: string): void => {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (!NO_LINKS.includes(codeOf(error))) throw error
    create(path, key)
  }
}

/** The addresses of an attachment, the index of each being that of its range set. */
export interface Wanted {
  readonly key: string
  readonly addresses: readonly Ip[]
}

const publishAll = (network: Network, { key, addresses }: Wanted, made: string[]): void => {
  const draft = draftOf(network)
  create(draft, key)
  try {
    for (const address of addresses) {
      const path = `${network.folder}/${address}`
      publish(draft, path, key)
      made.push(path)
    }
  } finally {
    remove(draft)
  }
}

const record = (network: Network, index: Index, { key, addresses }: Wanted): void => {
  let set = 0
  for (const address of addresses) {
    writeLast(network.folder, set++, address)
    index.insert(key, address)
  }
  index.commit()
}

/** Reserves all of them or none. False when one of them has a file already, which the index did not know.
 *  @throws Error of node:fs */
export const reserve = (network: Network, index: Index, wanted: Wanted): boolean => {
  const made: string[] = []
  try {
    publishAll(network, wanted, made)
    record(network, index, wanted)
    return true
  } catch (error) {
    for (const path of made) remove(path)
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

const holds = (network: Network, address: Ip, key: string): boolean =>
  readReservation(network.folder, address)?.key === key

/** Addresses reserved for the owner, as the index has it and their files confirm. */
export const ownedBy = (network: Network, index: Index, key: string): readonly Ip[] => {
  const confirmed: Ip[] = []
  for (const address of index.find(key)) if (holds(network, address, key)) confirmed.push(address)
  return confirmed
}

/** Whether there was anything to release. */
const releaseKey = (network: Network, index: Index, key: string): boolean => {
  const addresses = ownedBy(network, index, key)
  for (const address of addresses) {
    remove(`${network.folder}/${address}`)
    index.remove(key, address)
  }
  if (addresses.length > 0) index.commit()
  return addresses.length > 0
}

const releaseByIndex = (network: Network, keys: readonly string[]): void => {
  const index = openIndex(network)
  try {
    keys.some((key) => releaseKey(network, index, key))
  } finally {
    index.close()
  }
}

const releaseByWalk = (network: Network, keys: readonly string[]): void => {
  const all = reservedIn(network.folder).flatMap((address) => readReservation(network.folder, address) ?? [])
  const key = keys.find((each) => all.some((reservation) => reservation.key === each))
  for (const reservation of all) if (key !== undefined && reservation.key === key) remove(reservation.path)
}

/** Releases all addresses of the first of `keys` that has any. What is wrong with the index, a full disk too, does not keep an address
 *  reserved. @throws Error of node:fs when a reservation cannot be removed */
export const release = (network: Network, keys: readonly string[]): void => {
  try {
    releaseByIndex(network, keys)
  } catch {
    releaseByWalk(network, keys)
  }
}
