/** GC of a whole network as libcni runs it: DEL for every cached attachment that is not valid, then GC of every plugin,
 *  all of it going on past failures. libcni/api.go GCNetworkList. */
import type { AttachmentId } from '../../cni/plugin.ts'
import { runAll } from '../../cni/steps.ts'
import { delNetwork, gcPlugin, hasUpkeep, type Runtime } from './attach.ts'
import type { Network } from './network.ts'
import { type CacheEntry, readCache } from './result-cache.ts'

const isIn = (list: readonly AttachmentId[], { containerID, ifName }: AttachmentId): boolean =>
  list.some((id) => id.containerID === containerID && id.ifName === ifName)

/** Cached attachments of the network that are not among `valid`. */
export const staleEntries = (
  network: string,
  valid: readonly AttachmentId[],
  entries: readonly CacheEntry[],
): readonly CacheEntry[] => entries.filter((entry) => entry.network === network && !isIn(valid, entry))

/** Removes every attachment of the network but `valid`. @throws CniError all that went wrong, in one */
export const gcNetwork = (network: Network, valid: readonly AttachmentId[], runtime: Runtime): void => {
  if (network.disableGC) return
  const stale = staleEntries(network.name, valid, readCache(runtime.cacheFolder) ?? [])
  const dels = stale.map((entry) => () => delNetwork(network, entry, runtime))
  const gcs = network.plugins.map((plugin) => () => gcPlugin(network, plugin, valid, runtime))
  runAll(...dels, ...(hasUpkeep(network) ? gcs : []))
}
