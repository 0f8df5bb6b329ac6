/** ADD under the lock: choose, then reserve, all or nothing. */
import { quote } from '../../addr/error.ts'
import type { Ip } from '../../addr/ip.ts'
import { CniError, ERR_CONFLICT, ERR_TRY_AGAIN } from '../../cni/error.ts'
import type { AttachmentId } from '../../cni/plugin.ts'
import type { Choice } from './allocator.ts'
import type { HostLocalConf } from './conf.ts'
import { type Index, openIndex, remakeIndex } from './index.ts'
import type { Network } from './network.ts'
import { assignRequests, chooseAll, exhaustion } from './plan.ts'
import { rangeFor } from './range.ts'
import { holderIn, keyOf, oldKeyOf, renderHolder } from './reservation.ts'
import { ownedBy, readLast, reserve } from './store.ts'
import { readReservation } from './walk.ts'

/** SPEC.md §2: an attachment is added once. @throws CniError 103 when it has an address of one of the sets */
const refuseSecond = (conf: HostLocalConf, id: AttachmentId, network: Network, index: Index): void => {
  const owned = [...ownedBy(network, index, keyOf(id)), ...ownedBy(network, index, oldKeyOf(id))]
  if (owned.length === 0) return
  const held = owned.filter((address) => conf.sets.some((set) => rangeFor(set, address) !== undefined))
  if (held.length === 0) return
  throw new CniError(
    ERR_CONFLICT,
    `${renderHolder(id)} has ${held.join(', ')} already: a second ADD of an attachment is not allowed`,
    `a DEL of it must come first; the reservation is ${quote(`${network.folder}/${held[0]}`)}`,
  )
}

/** @throws CniError 103 naming the holder */
const refuseTaken = (folder: string, address: Ip): void => {
  const taken = readReservation(folder, address)
  if (taken === undefined) return
  const holder = taken.key === undefined ? 'something that is no file' : renderHolder(holderIn(taken.key))
  throw new CniError(
    ERR_CONFLICT,
    `the address asked for, ${address}, is held by ${holder}`,
    `its reservation is ${quote(taken.path)}; ask for another address, or delete that container first`,
  )
}

/** How long the index is believed that no address is free, in seconds: someone may have removed files without the lock. */
const BELIEVED = 60

const isOld = (index: Index): boolean => Math.abs(Date.now() / 1000 - index.walked) > BELIEVED

const isWhole = (chosen: readonly (Choice | undefined)[]): chosen is readonly Choice[] => !chosen.includes(undefined)

/** An address of each set, where asked for the one of `requested`; undefined when a set is exhausted according to an index
 *  that is old. @throws CniError 101 */
const choose = (
  conf: HostLocalConf,
  requested: readonly (Choice | undefined)[],
  network: Network,
  index: Index,
): readonly Choice[] | undefined => {
  const chosen = chooseAll(conf.sets, requested, (set) => readLast(network.folder, set), index.nextFree)
  const exhausted = chosen.indexOf(undefined)
  if (isWhole(chosen)) return chosen
  if (isOld(index)) return undefined
  throw exhaustion(conf.sets[exhausted] ?? [], exhausted, network.folder)
}

/** Undefined when the index led astray. */
const attempt = (
  conf: HostLocalConf,
  id: AttachmentId,
  network: Network,
  index: Index,
): readonly Choice[] | undefined => {
  refuseSecond(conf, id, network, index)
  const requested = assignRequests(conf)
  for (const choice of requested) if (choice !== undefined) refuseTaken(network.folder, choice.address)
  const chosen = choose(conf, requested, network, index)
  const addresses = chosen?.map(({ address }) => address) ?? []
  return chosen !== undefined && reserve(network, index, { key: keyOf(id), addresses }) ? chosen : undefined
}

/** What `use` returns for the index; when that is undefined, for one made anew. @throws CniError 11 when it still is */
const withSureIndex = <T>(network: Network, use: (index: Index) => T | undefined): T => {
  const found = closing(openIndex(network), use) ?? closing(remakeIndex(network).index, use)
  if (found !== undefined) return found
  throw new CniError(
    ERR_TRY_AGAIN,
    `${quote(network.folder)} changes while its lock is held`,
    'something else than a CNI plugin makes files there',
  )
}

const closing = <T>(index: Index, use: (index: Index) => T): T => {
  try {
    return use(index)
  } finally {
    index.close()
  }
}

/** Reserves an address of each set for the attachment. @throws CniError 7, 11, 101, 103 */
export const allocate = (conf: HostLocalConf, id: AttachmentId, network: Network): readonly Choice[] =>
  withSureIndex(network, (index) => attempt(conf, id, network, index))

/** Whether each set has a free address. @throws CniError 101 */
export const refuseExhausted = (conf: HostLocalConf, network: Network): void => {
  withSureIndex(network, (index) => choose(conf, [], network, index))
}
