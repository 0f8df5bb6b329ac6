/** Traces: what shows that an attachment of a network exists or once did. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { familyOf, type Ip, readIp } from '../../addr/ip.ts'
import type { AttachmentId, JsonObject } from '../../cni/plugin.ts'
import { commentOf, networkPrefix } from '../../kernel/owner.ts'
import { dumpLinks } from '../../netlink/link.ts'
import { NETLINK_ROUTE, openSocket } from '../../netlink/socket.ts'
import type { Network, PluginConf } from '../runtime/network.ts'
import type { CacheEntry } from '../runtime/result-cache.ts'

export interface Reservation {
  readonly containerID: string
  /** '' in the format of host-local before 0.7.0, which knew containers only. */
  readonly ifName: string
  readonly address: Ip
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** Everything found on one network. */
export interface Traces {
  readonly cached: readonly CacheEntry[]
  readonly reservations: readonly Reservation[]
  /** Owners of veth pairs with an end on the node, as kernel/owner.ts `commentOf` writes them. */
  readonly owners: ReadonlySet<string>
}

/** An attachment with all its traces. */
export interface Found extends AttachmentId {
  readonly cached: CacheEntry | undefined
  readonly reservations: readonly Reservation[]
  /** The node's end of its veth pair is there, so the pod's end is, and the pod's namespace lives. */
  readonly hasInterface: boolean
}

/** Upstream's default `dataDir`. */
const STORE = '/var/lib/cni/networks'

/** Plugins that take `host-local` where no other IPAM is named. */
const HOST_LOCAL: readonly string[] = ['flannel', 'vxlan']

const ipamOf = ({ type, ipam }: PluginConf): JsonObject => ({
  ...(HOST_LOCAL.includes(type) ? { type: 'host-local' } : {}),
  ...(ipam as JsonObject | undefined),
})

/** The folders that hold the network's reservations, one file an address (host-local's layout). */
export const storesOf = ({ name, plugins }: Pick<Network, 'name' | 'plugins'>): readonly string[] => {
  const ipams = plugins.map(ipamOf).filter(({ type }) => type === 'host-local')
  const folders = ipams.map(({ dataDir }) =>
    join(typeof dataDir === 'string' && dataDir !== '' ? dataDir : STORE, name),
  )
  return [...new Set(folders)]
}

const readReservation = (folder: string, file: string): Reservation[] => {
  const address = readIp(file)
  if (address === undefined) return []
  const path = join(folder, file)
  try {
    const [containerID = '', ifName = ''] = readFileSync(path, 'utf8').split(/\r?\n/)
    return [{ containerID: containerID.trim(), ifName: ifName.trim(), address, since: statSync(path).mtimeMs }]
  } catch {
    return [] // released meanwhile
  }
}

const readReservations = (folder: string): readonly Reservation[] => {
  try {
    return readdirSync(folder)
      .flatMap((file) => readReservation(folder, file))
      .sort((a, b) => familyOf(a.address) - familyOf(b.address) || (a.address < b.address ? -1 : 1))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Owners of veth pairs: other interfaces of an attachment (an ifb) outlive its pod. */
const readOwners = (network: string): ReadonlySet<string> => {
  const socket = openSocket(NETLINK_ROUTE, -1)
  try {
    const pairs = dumpLinks(socket).filter(
      ({ kind, alias }) => kind === 'veth' && alias.startsWith(networkPrefix(network)),
    )
    return new Set(pairs.map(({ alias }) => alias))
  } finally {
    socket.close()
  }
}

/** The traces of a network now. `cache` is all of the result cache. */
export const readTraces = (network: Network, cache: readonly CacheEntry[]): Traces => ({
  cached: cache.filter((entry) => entry.network === network.name),
  reservations: storesOf(network).flatMap(readReservations),
  owners: readOwners(network.name),
})

/** The attachment an owner names; undefined when its container id is so long that only a hash of it is there. */
const idOfOwner = (network: string, owner: string): AttachmentId | undefined => {
  const rest = owner.slice(networkPrefix(network).length)
  const slash = rest.indexOf('/')
  return rest.startsWith('~') || slash < 0
    ? undefined
    : { containerID: rest.slice(0, slash), ifName: rest.slice(slash + 1) }
}

const keyOf = ({ containerID, ifName }: AttachmentId): string => `${containerID}/${ifName}`

const grouped = <T extends AttachmentId>(items: readonly T[]): ReadonlyMap<string, readonly T[]> => {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

/** The attachments that left traces, in the order of their ids. Pure. */
export const attachmentsOf = (network: string, { cached, reservations, owners }: Traces): readonly Found[] => {
  const named = [...owners].map((owner) => idOfOwner(network, owner)).filter((id) => id !== undefined)
  const ids = new Map([...cached, ...reservations, ...named].map((id) => [keyOf(id), id]))
  const [cachedBy, reservationsBy] = [grouped(cached), grouped(reservations)]
  const found = [...ids].map(
    ([key, { containerID, ifName }]): Found => ({
      ...{ containerID, ifName },
      cached: cachedBy.get(key)?.[0],
      reservations: reservationsBy.get(key) ?? [],
      hasInterface: owners.has(commentOf({ network, containerID, ifName })),
    }),
  )
  return found.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}

/** Owners of interfaces that belong to no attachment of the list: their container id is known by its hash only. Pure. */
export const namelessOwners = (network: string, { owners }: Traces, found: readonly Found[]): readonly string[] => {
  const known = new Set(found.map(({ containerID, ifName }) => commentOf({ network, containerID, ifName })))
  return [...owners].filter((owner) => !known.has(owner))
}
