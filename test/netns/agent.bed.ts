/** Nodes of `makeUnderlay`, each with an agent on one folder of leases and a pod behind its subnet:
 *
 *      pod 1 ---- node 1 ==== wire ==== node 2 ---- pod 2
 *      .2         .1 of the node's subnet
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { makeNetns, pathOf, runIn, shellIn } from '../support/netns.ts'
import { makeUnderlay, type UnderlayBed } from '../support/underlay.ts'

export interface OverlayBed extends UnderlayBed {
  readonly store: string
  /** Of each node's agent: `run`, `state`, `subnet.env`, `log`. */
  readonly folders: readonly string[]
  /** Starts the agent of node `n`, from 0; again after it ended, with the same files. */
  readonly start: (n: number, ...args: readonly string[]) => Agent
  /** The same, and waits until it is ready. */
  readonly up: (n: number, ...args: readonly string[]) => Agent
}

export const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
export const CONF = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }

/** Files of distribution tools appear whole. */
export const writeNetConf = (store: string, conf: object | string): void =>
  writeFileSync(`${store}/config.json`, typeof conf === 'string' ? conf : JSON.stringify(conf))

export const makeOverlay = (count: number, label: string, conf: object = CONF): OverlayBed => {
  const bed = makeUnderlay(count, label)
  const store = makeFolder(`${label}-store`)
  mkdirSync(`${store}/subnets`)
  writeNetConf(store, conf)
  const folders = bed.nodes.map(() => makeFolder(`${label}-agent`))
  const start = (n: number, ...args: readonly string[]): Agent =>
    startAgent({
      netns: bed.nodes[n]?.netns ?? '',
      folder: folders[n] ?? '',
      args: ['--store-dir', store, '--probe-interval', '0', ...args],
    })
  const up = (n: number, ...args: readonly string[]): Agent => {
    const agent = start(n, ...args)
    untilReady(agent)
    return agent
  }
  return { ...bed, store, folders, start, up }
}

/** By key, what subnet.env says. */
export const subnetEnv = ({ subnetFile }: Pick<Agent, 'subnetFile'>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readFileSync(subnetFile, 'utf8')
      .split('\n')
      .map((line) => line.split('=', 2) as [string, string]),
  )

export interface Pod {
  readonly netns: string
  readonly ip: string
}

/** A pod on the node `netns` with the second address of the agent's subnet. */
export const makePod = (node: string, agent: Pick<Agent, 'subnetFile'>, label: string): Pod => {
  const gateway = (subnetEnv(agent)['FLANNEL_SUBNET'] ?? '').split('/')[0] ?? ''
  const ip = gateway.replace(/1$/, '2')
  const netns = makeNetns(label)
  shellIn(
    node,
    `ip link add pod0 type veth peer name eth0 netns ${pathOf(netns)}; ip link set pod0 up
     ip addr add ${gateway}/24 dev pod0`,
  )
  shellIn(
    netns,
    `ip link set lo up; ip link set eth0 up mtu 1450; ip addr add ${ip}/24 dev eth0; ip route add default via ${gateway}`,
  )
  return { netns, ip }
}

/** One call of `podwire agent` that ends by itself, with the files of node `n`'s agent. */
export const callAgent = (bed: OverlayBed, n: number, ...args: readonly string[]): Output => {
  const folder = bed.folders[n] ?? ''
  const paths = [
    '--run-dir',
    `${folder}/run`,
    '--state-dir',
    `${folder}/state`,
    '--subnet-file',
    `${folder}/subnet.env`,
  ]
  return runIn(bed.nodes[n]?.netns ?? '', [PODWIRE, 'agent', '--store-dir', bed.store, ...paths, ...args])
}
