/** Programs run side by side, with their output as values: the harness keeps all processors busy. */
import { spawn } from 'node:child_process'
import { onCleanup } from '../support/cleanup.ts'

export interface Output {
  /** Exit status; 128 + 9 and the like when a signal ended it. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface ProcessOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds until SIGKILL; 30,000 when absent. */
  readonly timeout?: number
}

const KILLED = 137

/** How `argv` ended. Never rejects for a program that fails. @throws Error when it cannot be started */
export const runProcess = (argv: readonly string[], options: ProcessOptions = {}): Promise<Output> =>
  new Promise((resolve, reject) => {
    const [file = '', ...args] = argv
    const child = spawn(file, args, { env: options.env ?? process.env, stdio: 'pipe' })
    const forget = onCleanup(() => child.exitCode ?? child.kill('SIGKILL'))
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeout ?? 30_000)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.stdin.on('error', () => undefined) // a program may end without reading all of it
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      forget()
      resolve({ status: code ?? KILLED, stdout, stderr })
    })
    child.stdin.end(options.input ?? '')
  })

/** The stdout of `argv`. @throws Error with its output when the status is not 0 */
export const mustRun = async (argv: readonly string[], input = ''): Promise<string> => {
  const { status, stdout, stderr } = await runProcess(argv, { input })
  if (status !== 0) throw new Error(`${argv.join(' ')}: status ${status}\n${stdout}${stderr}${input}`)
  return stdout
}
