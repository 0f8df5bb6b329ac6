/** Nodes with the compiled agent, which share a folder as their store, and an address on each that stands for a pod. */
import { ok } from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import { runIn, shellIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'

export interface Member {
  readonly node: UnderlayNode
  readonly agent: Agent
  /** Of wireguard. */
  readonly keyFile: string
  /** File of its lease. */
  readonly leaseFile: string
  /** Addresses of its pod; '' without that family. */
  readonly pod: { readonly 4: string; readonly 6: string }
  /** Starts its agent again, with the same folder. */
  readonly restart: () => Agent
}

/** A node that shares `store`, whose agent is not started yet. */
export const starterOf = (node: UnderlayNode, store: string): Pick<Member, 'node' | 'keyFile' | 'restart'> => {
  const folder = makeFolder('agent')
  const keyFile = `${folder}/wgkey`
  const paths = ['--store-dir', store, '--wireguard-key-file', keyFile]
  const args = [...paths, '--iface', 'eth0', '--resync', '600', '--probe-interval', '0']
  const restart = (): Agent => startAgent({ netns: node.netns, folder, args })
  return { node, keyFile, restart }
}

/** `10.244.7.0/24` to `10.244.7.2`, `fd00:0:0:7::/64` to `fd00:0:0:7::2`. */
const podIn = (subnet: string | undefined): string => subnet?.replace(/0?\/\d+$/, '2') ?? ''

export const addPod = ({ netns }: UnderlayNode, pod: Member['pod']): void => {
  const addresses = [`${pod[4]}/32`, ...(pod[6] === '' ? [] : [`${pod[6]}/128`])]
  const lines = addresses.map((address) => `ip addr add ${address} dev pod0${address.includes(':') ? ' nodad' : ''}`)
  shellIn(netns, `ip link add pod0 type dummy; ip link set pod0 up; ${lines.join('; ')}`)
}

/** The folder of a store with the network configuration `conf`, and leases by key. */
export const makeStore = (conf: object, leases: Readonly<Record<string, object>> = {}): string => {
  const store = makeFolder('store')
  mkdirSync(`${store}/subnets`)
  writeFileSync(`${store}/config.json`, JSON.stringify(conf))
  for (const [key, lease] of Object.entries(leases))
    writeFileSync(`${store}/subnets/${key}.json`, JSON.stringify(lease))
  return store
}

/** `count` nodes whose agents are ready and know each other. */
export const makeCluster = (count: number, conf: object): readonly Member[] => {
  const store = makeStore(conf)
  const started = makeUnderlay(count)
    .nodes.map((node) => starterOf(node, store))
    .map((member) => ({ ...member, agent: member.restart() }))
  return started.map((member) => {
    const { lease } = untilReady(member.agent, ({ peers }) => peers.length === count - 1)
    const pod = { 4: podIn(lease?.subnet), 6: podIn(lease?.ipv6Subnet) }
    addPod(member.node, pod)
    return { ...member, pod, leaseFile: `${store}/subnets/${lease?.key}.json` }
  })
}

export const hears = ({ node, pod }: Member, to: Member, family: 4 | 6): boolean =>
  runIn(node.netns, ['ping', '-n', '-q', '-c', '1', '-W', '1', '-I', pod[family], to.pod[family]]).status === 0

/** Milliseconds: a guest in software on a busy machine takes its time. */
const LONGEST = 30_000

/** Every pod hears every other one. @throws AssertionError that names two that do not */
export const requireTraffic = (members: readonly Member[], families: readonly (4 | 6)[]): void => {
  for (const from of members)
    for (const to of members)
      for (const family of families)
        ok(
          from === to || waitFor(() => hears(from, to, family), LONGEST),
          `${from.pod[family]} does not hear ${to.pod[family]}`,
        )
}
