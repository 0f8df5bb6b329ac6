/** All reservations of a network, read file by file: what upstream does on every call, and we when the index is gone. */
import { fstatSync, lstatSync, readdirSync } from 'node:fs'
import { type Ip, readIp } from '../../addr/ip.ts'
import { READ, readText, unless, withFile } from './file.ts'

export interface Reservation {
  readonly address: Ip
  readonly path: string
  /** The owner as the file states it; '' when a crash left the file empty; undefined when what has the name is no file (a
   *  symbolic link, a directory): an address that nobody gets, and nothing of ours. */
  readonly key: string | undefined
  /** Modification time, milliseconds since 1970. */
  readonly mtime: () => number
}

/** In bytes: more than any container id and interface name. */
const LONGEST = 1024

const readKey = (fd: number): string | undefined => {
  const key = readText(fd, LONGEST).trim()
  return key === '' && !fstatSync(fd).isFile() ? undefined : key
}

const NO_FILE = ['ELOOP', 'EISDIR', 'ENXIO']

/** Undefined when there is none. @throws Error of node:fs */
export const readReservation = (folder: string, address: Ip): Reservation | undefined =>
  unless(['ENOENT'], () => {
    const path = `${folder}/${address}`
    const key = unless(NO_FILE, () => withFile(path, READ, readKey))
    return { address, path, key, mtime: () => lstatSync(path).mtimeMs }
  })

/** Addresses that have a file, in no order. A name that is no address as both implementations write it is not one. */
export const reservedIn = (folder: string): readonly Ip[] =>
  readdirSync(folder).filter((name): name is Ip => readIp(name) === name)
