/** One plugin of one folder under one version of the specification, on a bed of its own: attachments and calls. */
import { type Bed, makeBed, type Pod } from './bed.ts'
import { demand, type Outcome, outcomeOf, said, succeeded } from './outcome.ts'
import type { Profile } from './profile.ts'
import { filesIn, kernelState, type State } from './state.ts'
import { isAtLeast, type Json, type Version } from './version.ts'

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION'

export interface Attachment {
  readonly containerID: string
  readonly ifName: string
  readonly network: string
  readonly pod: Pod
  /** Counted from 0 in its trial. */
  readonly index: number
  /** The prevResult of ADD: what the plugin before a chained one left. */
  readonly given: Json | undefined
  /** What ADD returned. */
  result?: Json
}

/** How a call differs from what a runtime would send. */
export interface Change {
  /** Keys over those of the configuration; undefined removes one. */
  readonly conf?: Json
  /** All of stdin. */
  readonly stdin?: string
  /** Another executable of the folder. */
  readonly plugin?: string
  /** Over the environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

export interface Trial {
  readonly dir: string
  readonly profile: Profile
  readonly version: Version
  readonly bed: Bed
  /** A new container with what a chained plugin needs in it; nothing is called yet. */
  readonly attachment: (like?: Partial<Attachment>) => Promise<Attachment>
  readonly call: (verb: Verb, attachment: Attachment, change?: Change) => Promise<Outcome>
  readonly environment: (verb: Verb, attachment: Attachment) => Record<string, string>
  /** ADD, which must succeed; its result is kept for CHECK and DEL. */
  readonly add: (attachment: Attachment, change?: Change) => Promise<Outcome>
  /** A new attachment, added. */
  readonly attached: (like?: Partial<Attachment>) => Promise<Attachment>
  /** GC that keeps `valid`. */
  readonly gc: (valid: readonly Attachment[], change?: Change) => Promise<Outcome>
  /** What the plugin before a chained one does when its own DEL comes: the pod's interface goes. */
  readonly unplug: (attachment: Attachment) => Promise<void>
  /** Puts what networks share (bridge, tables, chains) in place: one attachment of another container comes and goes. */
  readonly warm: () => Promise<void>
  /** What the node holds and what was written to files. */
  readonly state: () => Promise<State>
}

/** libcni sends prevResult with CHECK, and with DEL since 0.4.0. */
const prevResultOf = (verb: Verb, version: Version, { given, result }: Attachment): Json => {
  if (verb === 'ADD') return given === undefined ? {} : { prevResult: given }
  const isSent = verb === 'CHECK' || (verb === 'DEL' && isAtLeast(version, '0.4.0'))
  const last = result ?? given
  return isSent && last !== undefined ? { prevResult: last } : {}
}

const environmentOf = (trial: Trial, verb: Verb, { containerID, ifName, pod }: Attachment): Record<string, string> => {
  const base = { PATH: process.env['PATH'] ?? '', CNI_COMMAND: verb, CNI_PATH: trial.dir }
  if (verb === 'GC' || verb === 'STATUS' || verb === 'VERSION') return base
  return { ...base, CNI_CONTAINERID: containerID, CNI_IFNAME: ifName, CNI_NETNS: pod.path, CNI_ARGS: 'IgnoreUnknown=1' }
}

const present = <T>(record: Readonly<Record<string, T | undefined>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).filter((entry): entry is [string, T] => entry[1] !== undefined))

/** The configuration a runtime sends for `verb`. */
export const confOf = (trial: Trial, verb: Verb, attachment: Attachment): Json => ({
  cniVersion: trial.version,
  name: attachment.network,
  type: trial.profile.plugin,
  ...trial.profile.conf(trial.bed, attachment.index),
  ...prevResultOf(verb, trial.version, attachment),
})

const callIn = async (trial: Trial, verb: Verb, attachment: Attachment, change: Change = {}): Promise<Outcome> => {
  const input = change.stdin ?? JSON.stringify({ ...confOf(trial, verb, attachment), ...change.conf })
  const env = present({ ...environmentOf(trial, verb, attachment), ...change.env })
  return outcomeOf(await trial.bed.exec([`${trial.dir}/${change.plugin ?? trial.profile.plugin}`], { input, env }))
}

const gcKeys = (valid: readonly Attachment[]): Json => {
  const list = valid.map(({ containerID, ifName }) => ({ containerID, ifname: ifName }))
  return { 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list }
}

/** An attachment for calls that are about no container. */
const NOBODY = { containerID: '', ifName: '', network: 'net', index: 0, given: undefined } as const

export const makeTrial = async (dir: string, profile: Profile, version: Version): Promise<Trial> => {
  const bed = await makeBed()
  await profile.prepareNode?.(bed)
  let count = 0
  const nobody: Attachment = { ...NOBODY, pod: { netns: bed.node, path: '', index: 0 } }
  const trial: Trial = {
    dir,
    profile,
    version,
    bed,
    attachment: async (like = {}) => {
      const index = count++
      const ifName = like.ifName ?? 'eth0'
      const pod = like.pod ?? (await bed.pod())
      const given = await profile.prepare?.(bed, version, pod, ifName, index)
      return { containerID: `cont${index}`, network: 'net', ...like, ifName, pod, index, given }
    },
    environment: (verb, attachment) => environmentOf(trial, verb, attachment),
    call: (verb, attachment, change) => callIn(trial, verb, attachment, change),
    add: async (attachment, change) => {
      const outcome = succeeded('ADD', await trial.call('ADD', attachment, change))
      demand(outcome.json !== undefined, `ADD prints no result, but ${said(outcome)}`)
      attachment.result = outcome.json
      return outcome
    },
    attached: async (like) => {
      const attachment = await trial.attachment(like)
      await trial.add(attachment)
      return attachment
    },
    gc: (valid, change = {}) => trial.call('GC', nobody, { ...change, conf: { ...gcKeys(valid), ...change.conf } }),
    unplug: async ({ given, index }) => {
      if (given !== undefined) await bed.exec(['ip', 'link', 'del', `pw${index}`])
    },
    warm: async () => {
      const attachment = await trial.attachment({ containerID: 'warm' })
      await trial.call('ADD', attachment)
      await trial.call('DEL', attachment)
      await bed.removePod(attachment.pod)
    },
    state: async () => [...(await kernelState(bed)), ...filesIn(bed.folder)],
  }
  return trial
}
