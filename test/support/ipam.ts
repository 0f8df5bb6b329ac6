/** IPAM plugins called in this process, on a machine that the test makes up, and a data folder of its own. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { Call, JsonObject, Verb } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import { type Machine, thisMachine } from '../../ipam/host-local/machine.ts'
import { hostLocalOn } from '../../ipam/host-local/main.ts'
import { makeFolder } from './cleanup.ts'

export const NETWORK = 'pods'

/** A call as cni/skel.ts makes it. */
export const callOf = (verb: Verb, containerID: string, json: JsonObject, rest: Partial<Call> = {}): Call => ({
  verb,
  containerID,
  ifName: 'eth0',
  netns: '',
  args: {},
  path: [],
  conf: { cniVersion: '1.1.0', name: NETWORK, type: 'host-local', ...json },
  stdin: '',
  prevResult: undefined,
  valid: [],
  delegate: () => undefined,
  ...rest,
})

/** Five addresses; and as many of each family. */
export const SMALL = { ranges: [[{ subnet: '10.1.0.0/29' }]] }
export const DUAL = { ranges: [[{ subnet: '10.1.0.0/29' }], [{ subnet: 'fd00::/125' }]] }

export const firstOf = (result: Result): string | undefined => result.ips?.[0]?.address

/** Matches an error with this code whose message holds these parts, in order. */
export const cniError = (code: number, ...parts: readonly string[]): object =>
  expect.objectContaining({ name: 'CniError', code, message: expect.stringMatching(parts.join('.*')) })

/** A machine whose clock began before anything the test does. */
export const machineOf = (rest: Partial<Machine> = {}): Machine => ({ ...thisMachine, bootTime: () => 0, ...rest })

export interface IpamBed {
  readonly dataDir: string
  /** Of the network. */
  readonly folder: string
  readonly index: string
  readonly add: (containerID: string, rest?: Partial<Call>, ipam?: JsonObject) => Result
  readonly del: (containerID: string, rest?: Partial<Call>) => void
  readonly check: (containerID: string, prevResult: Result, rest?: Partial<Call>) => void
  readonly gc: (...containerIDs: readonly string[]) => void
  readonly status: () => void
  /** Addresses with a file, sorted. */
  readonly reserved: () => readonly string[]
  /** What the file of an address holds. */
  readonly text: (name: string) => string
  /** Writes a file of the network's folder, as another program might. */
  readonly put: (name: string, text: string) => void
  /** The same folder on another machine, or with other keys. */
  readonly with: (machine: Machine, ipam?: JsonObject) => IpamBed
}

/** `ipam` is the configuration without `type` and `dataDir`. */
export const makeIpam = (ipam: JsonObject, machine = machineOf(), dataDir = makeFolder('ipam')): IpamBed => {
  const plugin = hostLocalOn(machine)
  const folder = `${dataDir}/${NETWORK}`
  const call = (verb: Verb, id: string, rest?: Partial<Call>, more: JsonObject = {}): Call =>
    callOf(verb, id, { ipam: { type: 'host-local', dataDir, ...ipam, ...more } }, rest)
  const onCall = <T>(use: (conf: ReturnType<typeof plugin.parse>, call: Call) => T, made: Call): T =>
    use(plugin.parse(made), made)
  return {
    dataDir,
    folder,
    index: `${dataDir}/.podwire/${NETWORK}`,
    add: (id, rest, more) => onCall(plugin.add, call('ADD', id, rest, more)),
    del: (id, rest) => onCall(plugin.del, call('DEL', id, rest)),
    check: (id, prevResult, rest) => onCall(plugin.check, call('CHECK', id, { prevResult, ...rest })),
    gc: (...ids) => {
      const valid = ids.map((containerID) => ({ containerID, ifName: 'eth0' }))
      onCall(plugin.gc, call('GC', '', { valid }))
    },
    status: () => onCall(plugin.status, call('STATUS', '')),
    reserved: () =>
      readdirSync(folder)
        .filter((name) => /^[0-9a-f]*[.:]/.test(name))
        .sort(),
    text: (name) => readFileSync(`${folder}/${name}`, 'utf8'),
    put: (name, text) => writeFileSync(`${folder}/${name}`, text),
    with: (other, more = {}) => makeIpam({ ...ipam, ...more }, other, dataDir),
  }
}
