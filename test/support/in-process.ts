/** Code of this process run inside a namespace: for tests of kernel/, which acts on the namespace its thread is in. */
import { closeSync, openSync } from 'node:fs'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { addon } from '../../native/addon.ts'
import { pathOf } from './netns.ts'

/** What `run` returns, called with this thread in the namespace `name`. Synchronous code only. */
export const within = <T>(name: string, run: () => T): T => {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const there = openSync(pathOf(name), 'r')
  addon().setns(there)
  try {
    return run()
  } finally {
    addon().setns(home)
    closeSync(there)
    closeSync(home)
  }
}

/** As `withKernel`, seen from the namespace `node`; `pod` is the name of the container's namespace. */
export const kernelOf = <T>(node: string, pod: string | undefined, use: (kernel: Kernel) => T): T =>
  within(node, () => withKernel(pod === undefined ? '' : pathOf(pod), use))
