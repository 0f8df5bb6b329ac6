/** Runs the checklist over a folder of plugins, several trials at a time. */
import { existsSync } from 'node:fs'
import { versionsFor } from './applicability.ts'
import type { Item } from './item.ts'
import { CHECK } from './items-check.ts'
import { DEL } from './items-del.ts'
import { DELEGATE } from './items-delegate.ts'
import { FAILURE } from './items-failure.ts'
import { GC } from './items-gc.ts'
import { LOAD } from './items-load.ts'
import { PROTOCOL } from './items-protocol.ts'
import { RESULT } from './items-result.ts'
import { PROFILES, type Profile } from './profile.ts'
import { makeTrial, type Trial } from './trial.ts'
import type { Version } from './version.ts'

export const ITEMS: readonly Item[] = [
  ...PROTOCOL,
  ...RESULT,
  ...FAILURE,
  ...DEL,
  ...CHECK,
  ...GC,
  ...DELEGATE,
  ...LOAD,
].toSorted((a, b) => a.number - b.number)

/** One line of `--json`. */
export interface Verdict {
  readonly item: number
  readonly plugin: string
  readonly version: Version
  readonly pass: boolean
  /** What does not conform; '' when it passes. */
  readonly why: string
}

interface Task {
  readonly item: Item
  readonly profile: Profile
  readonly version: Version
}

export interface Selection {
  readonly dir: string
  readonly plugin?: string | undefined
  readonly item?: number | undefined
  readonly version?: string | undefined
  /** Of each item and plugin the oldest version, the newest, and one between by chance. */
  readonly sample?: boolean
  /** Trials at a time. */
  readonly width?: number
  readonly progress?: (done: number, all: number, verdict: Verdict) => void
}

const isChosen = (wanted: unknown, value: unknown): boolean => wanted === undefined || wanted === value

const same = (versions: readonly Version[]): readonly Version[] => versions
const sampleOf = (versions: readonly Version[]): readonly Version[] => {
  const between = versions.slice(1, -1)
  const chosen = [versions[0], between[Math.floor(Math.random() * between.length)], versions.at(-1)]
  return [...new Set(chosen)].filter((version) => version !== undefined)
}

/** The trials of what is in the folder, plugin by plugin. */
export const tasksOf = ({ dir, plugin, item, version, sample = false }: Selection): readonly Task[] =>
  PROFILES.filter((profile) => isChosen(plugin, profile.plugin) && existsSync(`${dir}/${profile.plugin}`)).flatMap(
    (profile) =>
      ITEMS.filter(({ number }) => isChosen(item, number)).flatMap((one) =>
        (sample ? sampleOf : same)(versionsFor(one.number, profile.plugin, profile.since))
          .filter((each) => isChosen(version, each))
          .map((each) => ({ item: one, profile, version: each })),
      ),
  )

/** A reason without what differs from run to run. */
const impersonal = (why: string, { bed }: Trial): string =>
  why
    .replaceAll(bed.folder, 'DIR')
    .replaceAll(/pw-\d+-h\d+[np]/g, 'NETNS')
    .replaceAll(/\bveth[0-9a-f]{8}\b/g, 'VETH')
    .replaceAll(/\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b/g, 'MAC')
    .replaceAll(/\s+/g, ' ')

const verdictOf = async (dir: string, { item, profile, version }: Task): Promise<Verdict> => {
  const about = { item: item.number, plugin: profile.plugin, version }
  const trial = await makeTrial(dir, profile, version)
  try {
    await item.judge(trial)
    return { ...about, pass: true, why: '' }
  } catch (error) {
    return { ...about, pass: false, why: impersonal(error instanceof Error ? error.message : String(error), trial) }
  } finally {
    await trial.bed.remove()
  }
}

const WIDTH = 4

/** The verdict of every trial, in the order of `tasksOf`. */
export const runChecklist = async (selection: Selection): Promise<readonly Verdict[]> => {
  const tasks = tasksOf(selection)
  const verdicts: Verdict[] = []
  let next = 0
  let done = 0
  const worker = async (): Promise<void> => {
    for (let i = next++; i < tasks.length; i = next++) {
      const verdict = await verdictOf(selection.dir, tasks[i] as Task)
      verdicts[i] = verdict
      selection.progress?.(++done, tasks.length, verdict)
    }
  }
  await Promise.all(Array.from({ length: selection.width ?? WIDTH }, worker))
  return verdicts
}
