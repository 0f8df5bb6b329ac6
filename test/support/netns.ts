/** Network namespaces made by the test itself, and programs run in them. */
import { namePrefix, onCleanup, removeNetns } from './cleanup.ts'
import { must, type Output, type RunOptions, run } from './command.ts'

let made = 0

/** The name of a new namespace, `pw-<pid>-<n>-<label>`, with nothing in it but `lo`, down: what a runtime gives a plugin. */
export const makeNetns = (label: string): string => {
  made += 1
  const name = `${namePrefix()}${made}-${label}`
  must(['ip', 'netns', 'add', name])
  onCleanup(() => removeNetns(name))
  return name
}

/** What CNI_NETNS holds for the namespace `name`. */
export const pathOf = (name: string): string => `/run/netns/${name}`

/** `argv` so that it runs in the namespace `name`; the mount namespace stays the caller's. */
export const inside = (name: string, argv: readonly string[]): readonly string[] => [
  'nsenter',
  `--net=${pathOf(name)}`,
  ...argv,
]

/** As `run`, in the namespace `name`. */
export const runIn = (name: string, argv: readonly string[], options: RunOptions = {}): Output =>
  run(inside(name, argv), options)

/** As `must`, in the namespace `name`. */
export const mustIn = (name: string, argv: readonly string[], options: RunOptions = {}): string =>
  must(inside(name, argv), options)

/** Lines of a shell script, run in the namespace `name`; it stops at its first error. @throws Error as `must` */
export const shellIn = (name: string, script: string): string => mustIn(name, ['sh', '-euc', script])

/** What `ip -j ARGS` reports in the namespace `name`. */
export const ipJson = (name: string, ...args: readonly string[]): readonly Record<string, unknown>[] => {
  const text = must(['ip', '-n', name, '-j', '-d', ...args])
  return text === '' ? [] : JSON.parse(text)
}
