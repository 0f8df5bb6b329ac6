/** Plugins killed by SIGKILL on their way into the n-th system call that changes state. A first run under strace counts the
 *  calls; a second is killed at one of them. A thread that dies on entering a call has not made it. */
import { readFileSync, rmSync } from 'node:fs'
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
  'ftruncate',
  'truncate',
  'chmod',
  'fchmod',
  'mount',
  'umount2',
  'execve',
]

/** One call of the main thread of a process: which one it is among its process's calls of `CALLS`. */
export interface KillPoint {
  readonly ordinal: number
  readonly text: string
}

/** Opening for reading changes nothing; writing to stdout and stderr changes nothing but what the runtime hears. */
const isChange = (text: string): boolean =>
  text.startsWith('openat') ? text.includes('O_CREAT') || text.includes('O_TRUNC') : !/^write\([12],/.test(text)

const LINE = /^(\d+) +([a-z0-9_]+\(.*)$/

/** The lines of the plugin's own main thread, from when it has loaded what it is made of. */
const pointsIn = (log: string): readonly KillPoint[] => {
  const lines = log.split('\n').flatMap((line) => {
    const [, pid = '', text = ''] = LINE.exec(line) ?? []
    return text === '' ? [] : [{ pid, text }]
  })
  const main = lines[0]?.pid
  const own = lines.filter(({ pid }) => pid === main).map(({ text }, i) => ({ ordinal: i + 1, text }))
  const loaded = own.findLastIndex(({ text }) => text.includes('podwire.node"'))
  return own.slice(loaded + 1).filter(({ text }) => isChange(text))
}

const strace = (log: string, ordinal: number | undefined): readonly string[] => [
  'strace',
  '-f',
  '-qq',
  '-s',
  '160',
  '-o',
  log,
  '-e',
  `trace=${CALLS.join(',')}`,
  ...(ordinal === undefined ? [] : ['-e', `inject=${CALLS.join(',')}:signal=SIGKILL:when=${ordinal}`]),
]

let logs = 0

/** The call under strace, killed at `ordinal`. Returns the log. */
export const traced = async (
  trial: Trial,
  verb: Verb,
  attachment: Attachment,
  ordinal?: number,
  change: Change = {},
): Promise<string> => {
  const log = `${trial.bed.folder}/.strace-${++logs}`
  const input = change.stdin ?? JSON.stringify({ ...confOf(trial, verb, attachment), ...change.conf })
  const env = trial.environment(verb, attachment)
  const argv = [...strace(log, ordinal), `${trial.dir}/${trial.profile.plugin}`]
  await trial.bed.exec(argv, { input, env })
  const text = readFileSync(log, 'utf8')
  rmSync(log)
  return text
}

/** The points at which `verb` of an attachment can be killed; the call is made, and succeeds. */
export const killPoints = async (trial: Trial, verb: Verb, attachment: Attachment): Promise<readonly KillPoint[]> =>
  pointsIn(await traced(trial, verb, attachment))

/** An ADD killed at the point that lies at `share` (0 to 1) of all. Returns the point's text. */
export const addKilled = async (trial: Trial, attachment: Attachment, share: number): Promise<string> => {
  const model = await trial.attachment()
  const points = await killPoints(trial, 'ADD', model)
  await trial.call('DEL', model)
  await trial.bed.removePod(model.pod)
  const point = points[Math.floor(share * points.length)]
  if (point === undefined) return 'no point'
  await traced(trial, 'ADD', attachment, point.ordinal)
  return point.text.slice(0, 80)
}
