/** Programs, run while the screen goes on. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

export interface Output {
  readonly stdout: string
  readonly stderr: string
}

/** What `argv` printed; `env` is added to the environment. @throws Error with its output when the status is not 0 */
export const run = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Output> => {
  const [file = '', ...args] = argv
  try {
    return await execute(file, args, { env: { ...process.env, ...env }, maxBuffer: 1 << 26, timeout: 60_000 })
  } catch (error) {
    const output = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    throw new Error(`${argv.join(' ')}\n${output || error}`, { cause: error })
  }
}

/** Where namespaces are mounted. */
export const netnsPath = (name: string): string => `/run/netns/${name}`

/** `argv` so that it runs in the namespace `name`. */
export const within = (name: string, argv: readonly string[]): readonly string[] => [
  'nsenter',
  `--net=${netnsPath(name)}`,
  ...argv,
]
