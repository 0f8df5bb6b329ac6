/** `host-local`: addresses from ranges, reserved in files on this node. Files and lock are those of upstream's
 *  `plugins/ipam/host-local`, and both may use them at the same time; what a call costs does not depend on how many
 *  reservations there are. SPEC.md §2; docs/ipam.md. */
import { accessSync, constants } from 'node:fs'
import { addressOf } from '../../addr/cidr.ts'
import { quote } from '../../addr/error.ts'
import { type Ip, ipOfNumber } from '../../addr/ip.ts'
import { CniError, ERR_DRIFT, ERR_EXHAUSTED, ERR_IO, ERR_UNAVAILABLE } from '../../cni/error.ts'
import type { Call, Plugin, Preview } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { allocate, refuseExhausted } from './allocation.ts'
import type { NextFree } from './allocator.ts'
import { type HostLocalConf, parseHostLocalConf } from './conf.ts'
import { isPresent } from './file.ts'
import { remakeIndex } from './index.ts'
import { type Machine, thisMachine } from './machine.ts'
import { folderOf, isFolder, type Place, withNetwork } from './network.ts'
import { assignRequests, chooseAll, exhaustion, resultOf } from './plan.ts'
import { rangeFor } from './range.ts'
import { isAmong, keyOf, oldKeyOf } from './reservation.ts'
import { readResolvConf } from './resolv-conf.ts'
import { readLast, release } from './store.ts'
import { readReservation } from './walk.ts'

const placeOf = ({ dataDir }: HostLocalConf, { conf }: Call): Place => ({ dataDir, name: conf.name })

const add = (machine: Machine, conf: HostLocalConf, call: Call): Result => {
  const dns = conf.resolvConf === '' ? undefined : readResolvConf(conf.resolvConf)
  const choices = withNetwork(placeOf(conf, call), machine, (network) => allocate(conf, call, network), { make: true })
  return resultOf(conf, choices ?? [], dns)
}

const del = (machine: Machine, conf: HostLocalConf, call: Call): void => {
  withNetwork(placeOf(conf, call), machine, (network) => release(network, [keyOf(call), oldKeyOf(call)]), {
    make: false,
  })
}

/** What is wrong with the reservation of an address; undefined when it is this attachment's. */
const driftOf = (folder: string, address: Ip, call: Call): string | undefined => {
  const key = readReservation(folder, address)?.key
  if (key === keyOf(call) || key === oldKeyOf(call)) return undefined
  const path = quote(`${folder}/${address}`)
  return key === undefined
    ? `${address} is not reserved: ${path} is missing`
    : `${address} is not reserved for this attachment: ${path} holds ${quote(key)}`
}

const check = (conf: HostLocalConf, call: Call): void => {
  const folder = folderOf(placeOf(conf, call))
  isFolder(folder)
  const ips = (call.prevResult?.ips ?? []).map(({ address }) => addressOf(address))
  const own = ips.filter((address) => conf.sets.some((set) => rangeFor(set, address) !== undefined))
  const drift = own.flatMap((address) => driftOf(folder, address, call) ?? [])
  if (own.length === 0)
    drift.push(`prevResult has no address of the configured ranges, but ${ips.join(', ') || 'none'}`)
  if (drift.length > 0) throw new CniError(ERR_DRIFT, drift.join('; '), 'delete the container and start it again')
}

const sweepFailure = (folder: string, failures: readonly unknown[]): CniError =>
  new CniError(
    ERR_IO,
    `${failures.length} reservations in ${quote(folder)} cannot be released`,
    failures.map(String).join('\n'),
  )

const gc = (machine: Machine, conf: HostLocalConf, call: Call): void => {
  const isValid = isAmong(call.valid)
  withNetwork(
    placeOf(conf, call),
    machine,
    (network) => {
      const { index, failures } = remakeIndex(network, (key) => !isValid(key))
      index.close()
      if (failures.length > 0) throw sweepFailure(network.folder, failures)
    },
    { make: false },
  )
}

/** The deepest part of `path` that exists. */
const existingPartOf = (path: string): string => {
  if (isPresent(path)) return path
  const end = path.lastIndexOf('/')
  return end > 0 ? existingPartOf(path.slice(0, end)) : end === 0 ? '/' : '.'
}

/** @throws Error of node:fs */
const requireWritable = (folder: string): void => accessSync(existingPartOf(folder), constants.W_OK | constants.X_OK)

/** @throws CniError 50 when an ADD could not reserve an address */
const status = (machine: Machine, conf: HostLocalConf, call: Call): void => {
  const place = placeOf(conf, call)
  try {
    requireWritable(folderOf(place))
    withNetwork(place, machine, (network) => refuseExhausted(conf, network), { make: false })
  } catch (error) {
    throw unavailable(folderOf(place), error)
  }
}

const unavailable = (folder: string, error: unknown): unknown => {
  if (error instanceof CniError)
    return [ERR_IO, ERR_EXHAUSTED].includes(error.code)
      ? new CniError(ERR_UNAVAILABLE, error.message, error.details, { cause: error })
      : error
  if (!(error instanceof Error && 'syscall' in error)) return error
  const msg = `addresses cannot be reserved in ${quote(folder)}: ${error.message}`
  return new CniError(ERR_UNAVAILABLE, msg, 'make the directory writable, or set another $.ipam.dataDir', {
    cause: error,
  })
}

/** A search of the files themselves, which needs neither lock nor index and changes nothing. */
const probe =
  (folder: string): NextFree =>
  (from, to, family) => {
    for (let n = from; n <= to; n++) if (!isPresent(`${folder}/${ipOfNumber(n, family)}`)) return n
    return undefined
  }

const preview = (conf: HostLocalConf, call: Call): Preview => {
  const folder = folderOf(placeOf(conf, call))
  isFolder(folder)
  const chosen = chooseAll(conf.sets, assignRequests(conf), (set) => readLast(folder, set), probe(folder))
  const choices = chosen.map((choice, i) => {
    if (choice === undefined) throw exhaustion(conf.sets[i] ?? [], i, folder)
    return choice
  })
  const dns = conf.resolvConf === '' ? undefined : readResolvConf(conf.resolvConf)
  return { plan: [], result: resultOf(conf, choices, dns) }
}

/** The plugin on a given machine. */
export const hostLocalOn = (machine: Machine): Plugin<HostLocalConf> => ({
  type: 'host-local',
  about: 'addresses from ranges, reserved in files on this node',
  parse: parseHostLocalConf,
  add: (conf, call) => add(machine, conf, call),
  del: (conf, call) => del(machine, conf, call),
  check,
  gc: (conf, call) => gc(machine, conf, call),
  status: (conf, call) => status(machine, conf, call),
  preview,
})

export const plugin = hostLocalOn(thisMachine)
