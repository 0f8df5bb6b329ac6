/** A container runtime made of libcni and a bed: two pods, a list, a cache of results. */
import { difference, type Snapshot, snapshot } from '../support/leftovers.ts'
import { pathOf } from '../support/netns.ts'
import { makeNode, type NodeBed } from '../support/node.ts'
import { binDir } from '../support/plugin.ts'
import { type LibcniAnswer, type LibcniRequest, libcni } from './libcni.ts'
import { chainList, type ListOptions } from './list.ts'

const PORTS = { portMappings: [{ hostPort: 18080, containerPort: 8080, protocol: 'tcp' }] }

/** What host-local keeps of a network apart from reservations. */
export const MEMORY = /last_reserved_ip|\.podwire/

/** Lines of `after` that `before` has not. (gc also removes what no attachment uses any more: the bridge, the tables.) */
export const added = (before: Snapshot, after: Snapshot): Snapshot =>
  difference(before, after).filter((line) => line.startsWith('+'))

export interface Runtime {
  readonly bed: NodeBed
  readonly call: (verb: LibcniRequest['verb'], pod: number, more?: Partial<LibcniRequest>) => LibcniAnswer
  /** ADD, which must succeed. Returns the pod's addresses. */
  readonly add: (pod: number) => readonly string[]
  readonly state: () => Snapshot
}

/** `client` on a bed of its own. Pod 0 publishes port 18080. */
export const makeRuntime = (client: string, options: Omit<ListOptions, 'dataDir'>): Runtime =>
  runtimeOn(makeNode(2, 'libcni'), client, options, binDir())

/** The same on a bed that may have other runtimes, with the plugins in `bin`. */
export const runtimeOn = (
  bed: NodeBed,
  client: string,
  options: Omit<ListOptions, 'dataDir'>,
  bin: string,
): Runtime => {
  const confList = chainList({ ...options, dataDir: `${bed.folder}/ipam` })
  const call: Runtime['call'] = (verb, pod, more = {}) =>
    libcni(client, bed.node, {
      verb,
      confList,
      binDirs: [bin],
      cacheDir: `${bed.folder}/cache`,
      containerID: `pod${pod}`,
      ifName: 'eth0',
      netns: pathOf(bed.pods[pod] ?? ''),
      ...(pod === 0 ? { capabilityArgs: PORTS } : {}),
      ...more,
    })
  const add = (pod: number): readonly string[] => {
    const { result, error } = call('add', pod)
    if (result === undefined) throw new Error(`ADD of pod ${pod}: ${JSON.stringify(error)}`)
    return result.ips.map(({ address }) => address.split('/')[0] ?? '')
  }
  const state = () => snapshot(bed.node, [bed.folder]).filter((line) => !MEMORY.test(line))
  return { bed, call, add, state }
}

/** What is there once the network has been used: the bridge, tables with no element. */
export const stateWhenUsed = (runtime: Runtime): Snapshot => {
  runtime.add(0)
  runtime.call('del', 0)
  return runtime.state()
}
