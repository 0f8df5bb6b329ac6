/** What the agent remembers over a restart and a reboot: the network configuration, its lease and its peers as last known. A
 *  node that boots while the store is away works by it; and the lease it had is the one it asks for. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseCidr } from '../addr/cidr.ts'
import type { OwnLease } from '../overlay/claim.ts'
import type { Lease } from '../overlay/lease.ts'
import { decodeAttributes, leaseValue } from '../overlay/lease-value.ts'

export interface Memory {
  /** Which store it is from: what is known of one is nothing to another. */
  readonly store: string
  /** The text, as the store has it. */
  readonly netConf: string
  readonly own: OwnLease
  readonly peers: readonly Lease[]
  /** Links that the overlay had: those of another configuration are removed when this one is in force. */
  readonly devices: readonly string[]
}

/** Another podwire may remember in another form, which is not read then. */
const FORM = 1

/** A lease on disk: its subnets, and what it says as flannel writes it. */
interface Kept {
  readonly key: string
  readonly subnet?: string
  readonly ipv6Subnet?: string
  readonly value: unknown
}

const keep = ({ key, subnet, ipv6Subnet, ...attributes }: Lease): Kept => ({
  key,
  ...(subnet === undefined ? {} : { subnet }),
  ...(ipv6Subnet === undefined ? {} : { ipv6Subnet }),
  value: leaseValue(attributes),
})

/** @throws DecodeError */
const recallLease = ({ key, subnet, ipv6Subnet, value }: Kept): Lease => ({
  key,
  ...(subnet === undefined ? {} : { subnet: parseCidr(subnet) }),
  ...(ipv6Subnet === undefined ? {} : { ipv6Subnet: parseCidr(ipv6Subnet) }),
  ...decodeAttributes(value),
})

interface File extends Omit<Memory, 'own' | 'peers'> {
  readonly form: typeof FORM
  readonly own: Kept & { readonly expires?: number }
  readonly peers: readonly Kept[]
}

const fileOf = ({ own, peers, ...rest }: Memory): File => ({
  form: FORM,
  ...rest,
  own: { ...keep(own.lease), ...(own.expires === undefined ? {} : { expires: own.expires }) },
  peers: peers.map(keep),
})

export const memoryFile = (stateDir: string): string => `${stateDir}/memory.json`

/** Undefined when there is none, or none that can be read: the agent then knows nothing, and works. */
export const readMemory = (stateDir: string): Memory | undefined => {
  try {
    const { form, own, peers, ...rest } = JSON.parse(readFileSync(memoryFile(stateDir), 'utf8')) as File
    if (form !== FORM || !Array.isArray(rest.devices) || typeof rest.netConf !== 'string') return undefined
    const { expires } = own
    const lease = recallLease(own)
    return { ...rest, own: { lease, ...(expires === undefined ? {} : { expires }) }, peers: peers.map(recallLease) }
  } catch {
    return undefined
  }
}

/** @throws Error of the file system */
export const writeAtomically = (path: string, content: string, mode: number): void => {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.draft`
  writeFileSync(draft, content, { mode })
  renameSync(draft, path)
}

/** For root alone: a network configuration may hold a pre-shared key. @throws Error of the file system */
export const writeMemory = (stateDir: string, memory: Memory): void =>
  writeAtomically(memoryFile(stateDir), JSON.stringify(fileOf(memory)), 0o600)
