/** What the agent remembers over a restart and a reboot: the network configuration, its lease and its peers as last known. A
 *  node that boots while the store is away works by it; and the lease it had is the one it asks for. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { OwnLease } from '../overlay/claim.ts'
import type { Lease } from '../overlay/lease.ts'

export interface Memory {
  /** Another podwire may remember in another form: not read then. */
  readonly form: 1
  /** Which store it is from: what is known of one is nothing to another. */
  readonly store: string
  /** The text, as the store has it. */
  readonly netConf: string
  readonly own: OwnLease
  readonly peers: readonly Lease[]
  /** Links that the overlay had: those of another configuration are removed when this one is in force. */
  readonly devices: readonly string[]
}

export const memoryFile = (stateDir: string): string => `${stateDir}/memory.json`

const isMemory = (json: unknown): json is Memory =>
  typeof json === 'object' &&
  json !== null &&
  'form' in json &&
  json.form === 1 &&
  'own' in json &&
  'peers' in json &&
  Array.isArray(json.peers) &&
  'devices' in json &&
  Array.isArray(json.devices)

/** Undefined when there is none, or none that can be read: the agent then knows nothing, and works. */
export const readMemory = (stateDir: string): Memory | undefined => {
  try {
    const json: unknown = JSON.parse(readFileSync(memoryFile(stateDir), 'utf8'))
    return isMemory(json) ? json : undefined
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
  writeAtomically(memoryFile(stateDir), JSON.stringify(memory), 0o600)
