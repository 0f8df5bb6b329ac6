/** `podwire agent --cleanup`: takes from the node what the overlay is made of, with no store and no memory: by the names of
 *  its links, the protocol number of its routes, the name of its table. The lease stays; so does whatever others put there. */
import { rmSync } from 'node:fs'
import { parseCidr } from '../addr/cidr.ts'
import { type Kernel, withKernel } from '../kernel/kernel.ts'
import { hasNftTable } from '../kernel/nft-lookup.ts'
import { operationsOf } from '../kernel/operations.ts'
import { isOverlayKind } from '../kernel/ownership.ts'
import { resync, type Scope } from '../kernel/reconcile.ts'
import { dumpLinks } from '../netlink/link.ts'
import { isOverlayDevice } from '../overlay/devices.ts'
import { OVERLAY_TABLE } from '../overlay/masquerade.ts'
import { forwardIptables, masqueradeIptables } from '../overlay/masquerade-iptables.ts'
import { masqueradeLeftovers } from '../overlay/masquerade-leftover.ts'
import type { PodNetwork } from '../overlay/pod-network.ts'
import { takeLock } from './lock.ts'
import { wordsOf } from './log.ts'
import { memoryFile } from './memory.ts'
import type { Options } from './options.ts'

const NFPROTO_INET = 1
const EVERYWHERE = ['0.0.0.0/0', '::/0'].map((text) => parseCidr(text))

/** Every link of an overlay, and of every other link the routes with our protocol number. */
const wholeScope = (kernel: Kernel): Scope => {
  const links = dumpLinks(kernel.route('node'))
  const devices = links.filter(({ name, kind }) => isOverlayDevice(name) && isOverlayKind(kind)).map(({ name }) => name)
  return { devices, carriers: links.map(({ name }) => name), networks: EVERYWHERE }
}

const removeTable = (kernel: Kernel): string[] => {
  const { family, name } = OVERLAY_TABLE.table
  if (!hasNftTable(kernel, 'node', NFPROTO_INET, name)) return []
  operationsOf(OVERLAY_TABLE).remove(OVERLAY_TABLE, kernel)
  return [`nft delete table ${family} ${name}`]
}

/** By the chains' names: which networks the rules are about does not matter. */
const removeChains = (kernel: Kernel): string[] => {
  const pods: readonly PodNetwork[] = EVERYWHERE.map((network, i) => ({
    family: i === 0 ? 4 : 6,
    network,
    own: network,
  }))
  return pods
    .flatMap((each) => [masqueradeIptables(each, true), forwardIptables(each)])
    .flatMap((fact) => {
      if (operationsOf(fact).drift(fact, kernel)?.includes('does not exist')) return []
      operationsOf(fact).remove(fact, kernel)
      return fact.chains.map(
        ({ name }) => `${fact.family === 4 ? 'iptables' : 'ip6tables'} -t ${fact.table} -X ${name}`,
      )
    })
}

const removeFile = (path: string): string[] => {
  try {
    rmSync(path)
    return [`rm ${path}`]
  } catch {
    return []
  }
}

/** Returns what was done, a command a line, and what could not be, or is left for a person to judge. */
const removeAll = (
  options: Options,
  kernel: Kernel,
): { readonly done: readonly string[]; readonly left: readonly string[] } => {
  const { changes, failures } = resync([], wholeScope(kernel), kernel)
  const { masqueradeBackend: backend } = options
  const done = [
    ...changes.map(({ what }) => what),
    ...removeTable(kernel),
    ...(backend === 'iptables' ? removeChains(kernel) : []),
    ...[options.subnetFile, memoryFile(options.stateDir), `${options.runDir}/agent.sock`].flatMap(removeFile),
  ]
  return { done, left: [...failures.map(({ error }) => wordsOf(error)), ...masqueradeLeftovers({ backend }, kernel)] }
}

/** @throws CniError 103 while an agent runs; NetlinkError */
export const cleanUp = (options: Options): ReturnType<typeof removeAll> => {
  const release = takeLock(options.runDir)
  try {
    return withKernel('', (kernel) => removeAll(options, kernel))
  } finally {
    release()
  }
}
