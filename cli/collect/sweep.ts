/** Removal of what is stale on one network: DEL for each attachment that can be named, which touches nothing else, then GC
 *  of every plugin with the list of what stays, for what no name is left of. */
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'
import { failureOf } from '../../cni/failure.ts'
import { withGcLock } from '../../cni/gc-lock.ts'
import type { AttachmentId } from '../../cni/plugin.ts'
import { type Attachment, delNetwork, gcPlugin, type Runtime, versionsOf } from '../runtime/attach.ts'
import type { Network, PluginConf } from '../runtime/network.ts'
import type { Progress } from '../screen.ts'
import type { Found } from './traces.ts'

/** The version that GC came with: plugins that support it are asked in it, whatever the list says, so that lists of
 *  runtimes that know nothing newer than 1.0.0 are served too. */
const GC_VERSION = '1.1.0'

export interface Swept {
  /** Plugins that answered GC. */
  readonly asked: readonly string[]
  /** Plugins that do not know GC. */
  readonly unaware: readonly string[]
  readonly failures: readonly CniError[]
}

/** `run()`'s failure as a list. */
const failuresOf = (run: () => void): readonly CniError[] => {
  try {
    run()
    return []
  } catch (error) {
    return [failureOf(error)]
  }
}

const attachmentOf = ({ containerID, ifName, cached }: Found): Attachment => ({
  containerID,
  ifName,
  netns: cached?.netns ?? '',
  args: cached?.args ?? [],
  capabilities: cached?.capabilities ?? {},
})

/** DEL of each; those without an interface name cannot be named to a plugin, GC finds them.
 *  Returns what went wrong. */
export const detachStale = (
  network: Network,
  stale: readonly Found[],
  runtime: Runtime,
  { step }: Progress,
): readonly CniError[] =>
  stale
    .filter(({ containerID, ifName }) => containerID !== '' && ifName !== '')
    .flatMap((found, i, all) => {
      step(`${network.name}: DEL ${i + 1} of ${all.length}, ${found.containerID}/${found.ifName}`)
      return failuresOf(() => delNetwork(network, attachmentOf(found), runtime))
    })

const knowsGc = ({ type }: PluginConf, runtime: Runtime): boolean => versionsOf(type, runtime).includes(GC_VERSION)

/** GC of every plugin that knows it. While it runs, no ADD of podwire begins: `valid` is called when that is so. */
export const askPlugins = (
  network: Network,
  valid: () => readonly AttachmentId[],
  runtime: Runtime,
  { step }: Progress,
): Swept => {
  const asked: string[] = []
  const unaware: string[] = []
  const failures = withGcLock(() => {
    const list = valid()
    return network.plugins.flatMap((plugin) => {
      step(`${network.name}: GC of ${plugin.type}, ${list.length} attachments stay`)
      return failuresOf(() => {
        if (!knowsGc(plugin, runtime)) return void unaware.push(plugin.type)
        gcPlugin({ ...network, cniVersion: GC_VERSION }, plugin, list, runtime)
        asked.push(plugin.type)
      })
    })
  })
  return { asked, unaware, failures }
}

/** @throws CniError 50 when an attachment that lives cannot be put on the list, since GC would remove it */
export const refuseNameless = (network: string, owners: readonly string[]): void => {
  if (owners.length === 0) return
  throw new CniError(
    ERR_UNAVAILABLE,
    `network ${network} has attachments whose full container id is not known, so GC would take them for garbage`,
    `no plugin was asked; their interfaces carry these aliases:\n${owners.join('\n')}`,
  )
}
