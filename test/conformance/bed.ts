/** A throw-away node: a network namespace the plugins run in, namespaces of pods, and a folder for everything a plugin
 *  writes. Removed with `remove`, and also when the process is interrupted. */
import { rmSync } from 'node:fs'
import { makeFolder, namePrefix, onCleanup, removeNetns } from '../support/cleanup.ts'
import { mustRun, type Output, type ProcessOptions, runProcess } from './process.ts'

export interface Pod {
  /** Name of the namespace; of the node's when the pod is the node itself. */
  readonly netns: string
  /** What CNI_NETNS holds. */
  readonly path: string
  /** Counted from 0 in its bed. */
  readonly index: number
}

export interface Bed {
  readonly node: string
  readonly folder: string
  readonly pod: () => Promise<Pod>
  /** Removes a pod's namespace, as a runtime does after the last DEL (or before it). */
  readonly removePod: (pod: Pod) => Promise<void>
  /** Drops the node with all its links and rules and begins a new one: what a reboot does. Pods go too. */
  readonly reboot: () => Promise<void>
  /** `argv` in the node, or in `netns`. */
  readonly exec: (argv: readonly string[], options?: ProcessOptions, netns?: string) => Promise<Output>
  /** The stdout of a shell script in `netns`, the node when absent. @throws Error when it fails */
  readonly shell: (script: string, netns?: string) => Promise<string>
  readonly remove: () => Promise<void>
}

/** Removes a namespace's links at once: the kernel itself does it some time after the namespace is gone. */
const UNPLUG = 'for link in $(ip -n $1 -br link | sed "s/[@ ].*//"); do ip -n $1 link del $link 2>/dev/null; done'

let count = 0
const nextName = (label: string): string => `${namePrefix()}h${++count}${label}`

const addNetns = async (made: Map<string, () => void>, label: string): Promise<string> => {
  const name = nextName(label)
  const task = (): void => {
    if (made.has(name)) removeNetns(name)
  }
  made.set(name, onCleanup(task))
  await mustRun(['ip', 'netns', 'add', name])
  await mustRun(['ip', '-n', name, 'link', 'set', 'lo', label === 'n' ? 'up' : 'down'])
  return name
}

export const makeBed = async (): Promise<Bed> => {
  const made = new Map<string, () => void>()
  const folder = makeFolder('harness')
  let node = await addNetns(made, 'n')
  let pods = 0
  const drop = async (name: string): Promise<void> => {
    await runProcess(['ip', 'netns', 'del', name])
    const forget = made.get(name)
    made.delete(name)
    forget?.()
  }
  const exec: Bed['exec'] = (argv, options, netns = node) =>
    runProcess(['ip', 'netns', 'exec', netns, ...argv], options)
  return {
    get node() {
      return node
    },
    folder,
    exec,
    shell: (script, netns = node) => mustRun(['ip', 'netns', 'exec', netns, 'sh', '-euc', script]),
    pod: async () => {
      const netns = await addNetns(made, 'p')
      return { netns, path: `/run/netns/${netns}`, index: pods++ }
    },
    removePod: async ({ netns }) => {
      await runProcess(['sh', '-c', UNPLUG, 'sh', netns])
      await drop(netns)
    },
    reboot: async () => {
      for (const name of [...made.keys()]) await drop(name)
      node = await addNetns(made, 'n')
    },
    remove: async () => {
      for (const name of [...made.keys()]) await drop(name)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
