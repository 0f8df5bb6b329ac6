/** What has to be undone, undone in reverse order: when the test file ends, when the process exits, or on a signal. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { run } from './command.ts'

const undo: (() => void)[] = []

/** Has `task` run at the clean-up. Returns a function that runs it now instead. */
export const onCleanup = (task: () => void): (() => void) => {
  undo.push(task)
  return () => {
    const at = undo.lastIndexOf(task)
    if (at >= 0) undo.splice(at, 1)
    task()
  }
}

/** Undoes everything registered so far, last first, however much of it fails. @throws AggregateError of the failures */
export const cleanUp = (): void => {
  const failures: unknown[] = []
  for (let task = undo.pop(); task !== undefined; task = undo.pop()) {
    try {
      task()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('\n'))
}

process.once('exit', cleanUp)
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(signal, () => process.exit(status))

/** What the names of everything this process makes begin with. */
export const namePrefix = (): string => `pw-${process.pid}-`

/** A new folder `/tmp/pw-<pid>-<label>...`, removed at the clean-up. */
export const makeFolder = (label: string): string => {
  const folder = mkdtempSync(`${tmpdir()}/${namePrefix()}${label}-`)
  onCleanup(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const isOrphan = (name: string): boolean => {
  const pid = /^pw-(\d+)-/.exec(name)?.[1]
  return pid !== undefined && !existsSync(`/proc/${pid}`)
}

const namesIn = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : [])

/** Ends what runs in namespace `name` and removes it; absent is fine. */
export const removeNetns = (name: string): void => {
  const pids = run(['ip', 'netns', 'pids', name]).stdout.split('\n').filter(Boolean)
  if (pids.length > 0) run(['kill', '-9', ...pids])
  run(['ip', 'netns', 'del', name])
}

/** Removes the namespaces and folders of processes that were killed before they could clean up. */
export const removeOrphans = (): void => {
  for (const name of namesIn('/run/netns').filter(isOrphan)) removeNetns(name)
  for (const name of namesIn(tmpdir()).filter(isOrphan)) rmSync(`${tmpdir()}/${name}`, { recursive: true, force: true })
}
