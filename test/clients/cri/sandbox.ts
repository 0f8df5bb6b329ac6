/** A place to keep a container runtime in: process and mount namespaces of its own, in the network namespace of a node.
 *  When its first process ends, the kernel ends every process in it (shims, containers) and drops every mount. */
import { spawn } from 'node:child_process'
import { onCleanup } from '../../support/cleanup.ts'
import { run } from '../../support/command.ts'
import { inside } from '../../support/netns.ts'
import { waitFor } from '../../support/probe.ts'

export interface Sandbox {
  /** `argv` so that it runs in the sandbox. */
  readonly inside: (argv: readonly string[]) => readonly string[]
  readonly close: () => void
}

/** bash, because as first process it also reaps what its children leave behind. */
const FIRST = ['bash', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done']

/** The process id of the sandbox's first process, whose parent is `unshare`. */
const childOf = (parent: number): string => run(['ps', '--ppid', String(parent), '-o', 'pid=']).stdout.trim()

/** A sandbox in the network namespace `node`. */
export const makeSandbox = (node: string): Sandbox => {
  const unshare = [
    'unshare',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    '--mount',
    '--mount-proc',
    '--propagation',
    'private',
  ]
  const [file = '', ...args] = inside(node, [...unshare, ...FIRST])
  const child = spawn(file, args, { stdio: 'ignore' })
  const close = onCleanup(() => {
    child.kill('SIGKILL')
    waitFor(() => run(['kill', '-0', first]).status !== 0)
  })
  const parent = child.pid ?? 0
  if (!waitFor(() => childOf(parent) !== '')) throw new Error(`no process in the sandbox of ${node}`)
  const first = childOf(parent)
  return {
    inside: (argv) => ['nsenter', `--target=${first}`, '--net', '--mount', '--pid', '--', ...argv],
    close,
  }
}
