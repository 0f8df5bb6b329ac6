/** Traffic between namespaces: a server that says who it is and who asked, and one question over TCP or UDP. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from './cleanup.ts'
import { run } from './command.ts'
import { inside, pathOf } from './netns.ts'

const pause = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** True as soon as `condition` holds, false when it did not within `ms` milliseconds. */
export const waitFor = (condition: () => boolean, ms = 10_000): boolean => {
  for (const end = Date.now() + ms; Date.now() < end; pause(10)) if (condition()) return true
  return condition()
}

/** Starts a server in the namespace `netns` that answers on `port`, over TCP and UDP in both families, with
 *  `NAME ADDRESS`: `name`, and the address the question came from as the server sees it. Returns a function that ends it. */
export const listen = (netns: string, name: string, port: number): (() => void) => {
  const ready = `${makeFolder('echo')}/ready`
  const script = 'exec "$0" "$1" "$2" "$3" > "$4"'
  const [file = '', ...args] = inside(netns, [
    ...['sh', '-c', script, process.execPath, `${import.meta.dirname}/echo.js`, name, String(port), ready],
  ])
  const child = spawn(file, args, { stdio: 'ignore' })
  const stop = onCleanup(() => child.kill('SIGKILL'))
  if (waitFor(() => existsSync(ready) && readFileSync(ready, 'utf8') !== '')) return stop
  stop()
  throw new Error(`the server on port ${port} of ${netns} did not come up in 10 s`)
}

/** Waits until no address of the namespace `netns` is tentative. A link's own link-local address takes the kernel a second
 *  or two, and until then the kernel forwards nothing over that link to a neighbour it has to look for (ndisc_solicit()). */
export const settle = (netns: string): void => {
  if (!waitFor(() => run(inside(netns, ['ip', '-6', 'addr', 'show', 'tentative'])).stdout === ''))
    throw new Error(`the addresses of ${netns} are still tentative after 10 s`)
}

export interface Question {
  /** Name of the namespace that asks. */
  readonly from: string
  readonly to: string
  readonly port: number
  /** TCP when absent. */
  readonly protocol?: 'tcp' | 'udp'
  /** Seconds until silence is the answer; 1 when absent. */
  readonly patience?: number
  /** Port the question comes from; the kernel's choice when absent. */
  readonly sourcePort?: number
}

/** bash opens the socket itself: 3 ms, and it ends with the first line, where socat waits out its timeout on UDP. (The
 *  shell's own `read` takes a byte at a time, of a datagram only the first.) */
const BASH = 'exec 3<>"/dev/$0/$1/$2" && echo >&3 && head -n 1 <&3'

const bySocat = ({ to, port, protocol = 'tcp', sourcePort = 0 }: Question): readonly string[] => {
  const address = to.includes(':') ? `[${to}]` : to
  return ['sh', '-c', `echo | socat -t 0.3 - ${protocol}:${address}:${port},sourceport=${sourcePort},reuseaddr`]
}

/** The line that a `listen` server answered with, '' when none came (refused, dropped, no route). */
export const ask = (question: Question): string => {
  const { from, to, port, protocol = 'tcp', patience = 1, sourcePort } = question
  const client = sourcePort === undefined ? ['bash', '-c', BASH, protocol, to, String(port)] : bySocat(question)
  const { stdout } = run(['nsenter', `--net=${pathOf(from)}`, 'timeout', String(patience), ...client])
  return stdout.trim()
}

/** True when `from` gets an answer to an ICMP echo request from `to` within a second. */
export const ping = (from: string, to: string): boolean =>
  run(inside(from, ['ping', '-n', '-q', '-c', '1', '-W', '1', to])).status === 0
