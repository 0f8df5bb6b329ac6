/** Plugins killed by SIGKILL on their way into the n-th system call that changes state. A first run under strace counts the
 *  calls; a second is killed at one of them. A thread that dies on entering a call has not made it. */
import { readFileSync, rmSync } from 'node:fs'
import { demand } from '../conformance/outcome.ts'
import { type Attachment, type Change, confOf, type Trial, type Verb } from '../conformance/trial.ts'

/** Calls by which a plugin can change anything outside itself. */
const CALLS = [
  'sendto',
  'sendmsg',
  'write',
  'pwrite64',
  'writev',
  'openat',
  'openat2',
  'creat',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'symlink',
  'symlinkat',
  'unlink',
  'unlinkat',
  'mkdir',
  'mkdirat',
  'rmdir',
  'utimensat',
  'ftruncate',
  'truncate',
  'chmod',
  'fchmod',
  'mount',
  'umount2',
  'execve',
]

/** One call of the first thread: which one it is among the calls of the same name. */
export interface KillPoint {
  readonly name: string
  readonly ordinal: number
  readonly text: string
}

/** Opening for reading changes nothing; writing to stdout and stderr changes nothing but what the runtime hears. */
const isChange = (text: string): boolean =>
  text.startsWith('openat') ? text.includes('O_CREAT') || text.includes('O_TRUNC') : !/^write\([12],/.test(text)

/** The calls from when the plugin has loaded what it is made of. */
const pointsIn = (log: string): readonly KillPoint[] => {
  const counts = new Map<string, number>()
  const all = log.split('\n').flatMap((text) => {
    const name = /^[a-z0-9_]+(?=\()/.exec(text)?.[0]
    if (name === undefined) return []
    counts.set(name, (counts.get(name) ?? 0) + 1)
    return [{ name, ordinal: counts.get(name) ?? 0, text }]
  })
  const loaded = all.findLastIndex(({ text }) => text.includes('podwire.node"'))
  return all.slice(loaded + 1).filter(({ text }) => isChange(text))
}

const strace = (log: string, point: KillPoint | undefined): readonly string[] => [
  'strace', // without -f: a plugin does its work in its first thread, and what it starts is counted apart
  '-qq',
  '-s',
  '160',
  '-o',
  log,
  '-e',
  `trace=${CALLS.join(',')}`,
  ...(point === undefined ? [] : ['-e', `inject=${point.name}:signal=SIGKILL:when=${point.ordinal}`]),
]

let logs = 0

/** Whether the log is of a process that was killed. */
export const isKilled = (log: string): boolean => log.includes('+++ killed by SIGKILL +++')

/** The call under strace, killed at `point`. Returns the log. */
export const traced = async (
  trial: Trial,
  verb: Verb,
  attachment: Attachment,
  point?: KillPoint,
  change: Change = {},
): Promise<string> => {
  const log = `${trial.bed.folder}/.strace-${++logs}`
  const input = change.stdin ?? JSON.stringify({ ...confOf(trial, verb, attachment), ...change.conf })
  const env = trial.environment(verb, attachment)
  const argv = [...strace(log, point), `${trial.dir}/${trial.profile.plugin}`]
  await trial.bed.exec(argv, { input, env })
  const text = readFileSync(log, 'utf8')
  rmSync(log)
  return text
}

/** The points at which `verb` of an attachment can be killed; the call is made, and succeeds. */
export const killPoints = async (
  trial: Trial,
  verb: Verb,
  attachment: Attachment,
  change?: Change,
): Promise<readonly KillPoint[]> => pointsIn(await traced(trial, verb, attachment, undefined, change))

/** An ADD killed at the point that lies at `share` (0 to 1) of all. Returns the point's text. */
export const addKilled = async (trial: Trial, attachment: Attachment, share: number): Promise<string> => {
  const model = await trial.attachment()
  const points = await killPoints(trial, 'ADD', model)
  await trial.call('DEL', model)
  await trial.bed.removePod(model.pod)
  const point = points[Math.floor(share * points.length)]
  demand(point !== undefined, 'ADD makes no system call that changes anything')
  await traced(trial, 'ADD', attachment, point)
  return point.text.slice(0, 80)
}
