/** Running `iptables-save` and `iptables-restore`: the only forks in the pod path, made because a configuration asks for
 *  iptables or because such rules are left. Both variants are known: `legacy` (xtables) and `nft` (xtables over nf_tables);
 *  rules go where the table's rules are already, so that one node never has half of a table in each. */
import { closeSync, constants, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import type { Family } from '../addr/ip.ts'
import { CniError, ERR_CONFIG, ERR_KERNEL, ERR_TRY_AGAIN } from '../cni/error.ts'
import { addon, LOCK_EX, LOCK_NB } from '../native/addon.ts'
import { type IptablesTable, parseTable, scriptOf } from '../netfilter/iptables-table.ts'
import type { Kernel } from './kernel.ts'
import { hasNftTable } from './nft-lookup.ts'
import type { Ns } from './plan.ts'

export type IptablesTableName = 'nat' | 'filter' | 'mangle' | 'raw'
/** `default`: what `iptables` itself is on this node. */
export type Variant = 'default' | 'legacy' | 'nft'

/** Where a command runs. */
export interface Place {
  readonly ns: Ns
  readonly family: Family
  readonly table: IptablesTableName
}

/** Seconds that the xtables lock is waited for: another program's one run. */
const XTABLES_WAIT = 10
/** Seconds that our own lock is waited for: a node that starts hundreds of containers at once queues here, 20 ms each. */
const LOCK_WAIT = 60
const RUN_TIMEOUT = 60_000
/** iptables(8), exit status: resource problem, in practice the xtables lock. */
const EXIT_LOCKED = 4
const LOCK_FOLDER = '/run/podwire'

const pathsOf = (program: string): string[] =>
  [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin']
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => `${folder}/${program}`)

const findProgram = (program: string): string | undefined => pathsOf(program).find((path) => existsSync(path))

/** Path of `iptables-save` and the like for a variant; the node's default where the variant has no program of its own.
 *  @throws CniError 7 */
const programOf = (family: Family, variant: Variant, action: 'save' | 'restore'): string => {
  const base = family === 4 ? 'iptables' : 'ip6tables'
  const special = variant === 'default' ? undefined : findProgram(`${base}-${variant}-${action}`)
  const found = special ?? findProgram(`${base}-${action}`)
  if (found !== undefined) return found
  throw new CniError(
    ERR_CONFIG,
    `the iptables backend needs ${base}-${action}, which is not on this node`,
    `looked in PATH ${JSON.stringify(process.env.PATH ?? '')} and /usr/sbin: install iptables, or use the nftables backend`,
  )
}

/** Whether both programs that a family needs are on this node. */
export const hasIptables = (family: Family): boolean =>
  ['save', 'restore'].every(
    (action) => findProgram(`${family === 4 ? 'iptables' : 'ip6tables'}-${action}`) !== undefined,
  )

interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** What a program reads, and a descriptor that it keeps open until it ends. */
interface Given {
  readonly input: string
  readonly lock: number
}

const run = (kernel: Kernel, ns: Ns, path: string, args: readonly string[], given?: Given): Outcome => {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const env = { ...process.env, LC_ALL: 'C' }
  const stdio = ['pipe' as const, 'pipe' as const, 'pipe' as const, ...(given === undefined ? [] : [given.lock])]
  const limits = { timeout: RUN_TIMEOUT, maxBuffer: 1 << 28 }
  const options = { input: given?.input ?? '', stdio, env, encoding: 'utf8', ...limits } as const
  const done = kernel.inside(ns, () => spawnSync(path, args, options))
  if (done.error !== undefined)
    throw new CniError(ERR_KERNEL, `${path} cannot be run`, String(done.error), { cause: done.error })
  return { status: done.status ?? -1, stdout: done.stdout, stderr: done.stderr.trim() }
}

/** The table as a variant's `iptables-save` prints it. @throws CniError 7, 102 */
export const saveTable = (kernel: Kernel, place: Place, variant: Variant): IptablesTable => {
  const path = programOf(place.family, variant, 'save')
  const done = run(kernel, place.ns, path, ['-t', place.table])
  if (done.status === 0 && !/is incompatible, use 'nft' tool/.test(done.stdout)) return parseTable(done.stdout)
  throw new CniError(
    ERR_KERNEL,
    `${path} -t ${place.table} cannot read the table (exit status ${done.status})`,
    done.stderr || 'the table holds rules that were not made by iptables: remove them, or use the nftables backend',
  )
}

/** Runs restore commands in one transaction. Returns why it was refused, undefined when it was not. The program holds our
 *  lock too: when this process is killed, nobody reads the table before the program has ended.
 *  @throws CniError 11 when another program keeps the xtables lock; 7 */
export const restoreTable = (
  kernel: Kernel,
  place: Place,
  variant: Variant,
  lines: readonly string[],
  lock: number,
): string | undefined => {
  const path = programOf(place.family, variant, 'restore')
  const given = { input: scriptOf(place.table, lines), lock }
  const done = run(kernel, place.ns, path, ['--noflush', `--wait=${XTABLES_WAIT}`], given)
  if (done.status === 0) return undefined
  if (done.status === EXIT_LOCKED && done.stderr.includes('lock'))
    throw new CniError(
      ERR_TRY_AGAIN,
      `the xtables lock was held by another program for ${XTABLES_WAIT} seconds`,
      'find the holder: fuser /run/xtables.lock',
    )
  return `${path}: ${done.stderr || `exit status ${done.status}`}`
}

const legacyTables = (kernel: Kernel, { ns, family }: Place): string[] =>
  kernel.inside(ns, () => {
    try {
      return readFileSync(`/proc/thread-self/net/${family === 4 ? 'ip' : 'ip6'}_tables_names`, 'utf8').split('\n')
    } catch {
      return [] // the module is not loaded
    }
  })

const FAMILY_NUMBER = { 4: 2, 6: 10 } as const
/** The variants in which the table exists, without a fork. */
export const variantsWith = (kernel: Kernel, place: Place): Variant[] => {
  const nft = hasNftTable(kernel, place.ns, FAMILY_NUMBER[place.family], place.table)
  const legacy = legacyTables(kernel, place).includes(place.table)
  return [...(nft ? (['nft'] as const) : []), ...(legacy ? (['legacy'] as const) : [])]
}

const isInUse = (table: IptablesTable): boolean => [...table.values()].some((rules) => rules.length > 0)

/** The variant to write with: the one that has the table; the node's default when both have, none has, or the legacy
 *  table is there without a rule (any listing makes it). */
export const variantFor = (kernel: Kernel, place: Place): Variant => {
  const [variant, other] = variantsWith(kernel, place)
  if (variant === undefined || other !== undefined) return 'default'
  return variant === 'legacy' && !isInUse(saveTable(kernel, place, 'legacy')) ? 'default' : variant
}

const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

const isLocked = (fd: number): boolean => {
  try {
    addon().flock(fd, LOCK_EX | LOCK_NB)
    return true
  } catch {
    return false
  }
}

const waitForLock = (fd: number): void => {
  for (const end = Date.now() + LOCK_WAIT * 1000; !isLocked(fd); pause(5))
    if (Date.now() > end)
      throw new CniError(
        ERR_TRY_AGAIN,
        `another podwire process was changing iptables for ${LOCK_WAIT} seconds`,
        `find the holder: fuser ${LOCK_FOLDER}/iptables.lock`,
      )
}

/** Runs `change` while no other podwire process reads and writes iptables. The xtables lock covers one run of one program
 *  and the legacy variant only; this covers reading, deciding and writing. @throws CniError 11 */
export const withIptablesLock = <T>(change: (lock: number) => T): T => {
  mkdirSync(LOCK_FOLDER, { recursive: true, mode: 0o755 })
  const fd = openSync(
    `${LOCK_FOLDER}/iptables.lock`,
    constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
    0o600,
  )
  try {
    waitForLock(fd)
    return change(fd)
  } finally {
    closeSync(fd)
  }
}
