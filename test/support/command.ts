/** Programs run to completion, synchronously, with their output as values. */
import { spawnSync } from 'node:child_process'

export interface Output {
  /** Exit status; 128 + signal number when a signal ended it, as in a shell. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string
  /** The whole environment; the caller's when absent. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Milliseconds, 60,000 when absent; a program that takes longer is killed. */
  readonly timeout?: number
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
}

const isBrokenPipe = (error: Error): boolean => 'code' in error && error.code === 'EPIPE'

/** What `argv` printed and how it ended. Never throws for a program that fails.
 *  @throws Error when the program could not be started, or ran into the timeout */
export const run = (argv: readonly string[], options: RunOptions = {}): Output => {
  const [file = '', ...args] = argv
  const { input = '', timeout = 60_000, ...rest } = options
  const ended = spawnSync(file, args, {
    input,
    timeout,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    killSignal: 'SIGKILL',
    ...rest,
  })
  // a program may end without having read all of its input
  const failed = ended.error !== undefined && !(ended.status !== null && isBrokenPipe(ended.error))
  if (failed) throw new Error(`${argv.join(' ')}: ${ended.error?.message}\n${ended.stderr}`)
  const status = ended.status ?? 128 + (SIGNALS[ended.signal ?? ''] ?? 0)
  return { status, stdout: ended.stdout, stderr: ended.stderr }
}

/** The stdout of `argv`, without the last line feed. @throws Error with its output when the status is not 0 */
export const must = (argv: readonly string[], options: RunOptions = {}): string => {
  const { status, stdout, stderr } = run(argv, options)
  if (status !== 0) throw new Error(`${argv.join(' ')}: exit status ${status}\n${stdout}${stderr}`)
  return stdout.replace(/\n$/, '')
}

/** The stdout of a shell script, which stops at its first error. @throws Error as `must` */
export const shell = (script: string, ...args: readonly string[]): string => must(['sh', '-euc', script, 'sh', ...args])
