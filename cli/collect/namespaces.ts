/** The network namespaces that live on this node. */
import { closeSync, openSync, readdirSync, readlinkSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { addressOf } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import { dumpAllAddresses } from '../../netlink/address.ts'
import { EINVAL, NetlinkError } from '../../netlink/error.ts'
import { NETLINK_ROUTE, openSocket } from '../../netlink/socket.ts'

/** linux/magic.h: the file system whose files are namespaces. */
const NSFS_MAGIC = 0x6e736673
/** Where runtimes mount the namespaces of their pods. */
const FOLDERS = ['/run/netns', '/run/docker/netns']
const OWN = '/proc/self/ns/net'

/** What is known of the namespaces of pods: every one on this node but the node's own. */
export interface Namespaces {
  /** Whether a namespace is at `path`. */
  readonly lives: (path: string) => boolean
  /** Addresses assigned in any of them. */
  readonly addresses: ReadonlySet<Ip>
}

/** The inode of the namespace at `path`; undefined when none is there (a file without a mount, an ended process). */
const inodeOf = (path: string): number | undefined => {
  try {
    return statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : undefined
  } catch {
    return undefined
  }
}

const entriesOf = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const NAMESPACE_LINK = /^net:\[(\d+)\]$/

/** The namespaces of all processes, by inode; one path each. */
const ofProcesses = (): ReadonlyMap<number, string> => {
  const found = new Map<number, string>()
  for (const pid of entriesOf('/proc').filter((name) => /^\d+$/.test(name))) {
    const path = `/proc/${pid}/ns/net`
    try {
      const inode = Number(NAMESPACE_LINK.exec(readlinkSync(path))?.[1])
      if (!found.has(inode)) found.set(inode, path)
    } catch {
      // the process ended meanwhile
    }
  }
  return found
}

/** One path for every namespace but this process's own. */
const pathsOf = (more: readonly string[]): readonly string[] => {
  const found = new Map(ofProcesses())
  const mounted = FOLDERS.flatMap((folder) => entriesOf(folder).map((name) => join(folder, name)))
  for (const path of [...mounted, ...more]) {
    const inode = inodeOf(path)
    if (inode !== undefined) found.set(inode, path)
  }
  found.delete(inodeOf(OWN) ?? 0)
  return [...found.values()]
}

const readAddresses = (descriptor: number): readonly Ip[] => {
  const socket = openSocket(NETLINK_ROUTE, descriptor)
  try {
    return dumpAllAddresses(socket).map(({ address }) => addressOf(address))
  } finally {
    socket.close()
  }
}

/** What setns says of a file that is no namespace: it was unmounted after it was found. */
const isGone = (error: unknown): boolean => error instanceof NetlinkError && error.errno === EINVAL

const addressesAt = (path: string): readonly Ip[] => {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch {
    return [] // it ended meanwhile
  }
  try {
    return readAddresses(descriptor)
  } catch (error) {
    if (isGone(error)) return []
    throw error
  } finally {
    closeSync(descriptor)
  }
}

/** The namespaces now; `more` are paths to look at besides the usual folders and all processes. Needs root.
 *  @throws NetlinkError, Error (setns) */
export const readNamespaces = (more: readonly string[]): Namespaces => {
  const own = inodeOf(OWN)
  return {
    lives: (path) => {
      const inode = inodeOf(path)
      return inode !== undefined && inode !== own
    },
    addresses: new Set(pathsOf(more).flatMap(addressesAt)),
  }
}
