/** `flannel` on nodes whose leases an agent took: what a cluster does, from the first start of a node to a pod's answer. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { PrintedResult } from '../support/attachment.ts'
import { makeFolder } from '../support/cleanup.ts'
import { makeNetns, mustIn, runIn } from '../support/netns.ts'
import { binDir, callPlugin, mustCall } from '../support/plugin.ts'
import { ask, listen } from '../support/probe.ts'
import { makeUnderlay, type UnderlayNode, WIRE_IPV4 } from '../support/underlay.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
const NET_CONF = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}'

interface Place {
  readonly node: UnderlayNode
  readonly folder: string
}

const runAgent = ({ node, folder }: Place, store: string): void => {
  const files = ['--store-dir', store, '--subnet-file', `${folder}/subnet.env`, '--state-dir', folder]
  const options = ['--once', '--ip-masq', '--healthz-port', '0', '--run-dir', folder]
  mustIn(node.netns, [PODWIRE, 'agent', ...options, ...files])
}

const callOf = ({ node, folder }: Place, pod: string) => ({
  ...{ bin: binDir(), node: node.netns, netns: pod, containerID: 'c1', ifName: 'eth0' },
  conf: {
    ...{ cniVersion: '1.1.0', name: 'cbr0', type: 'flannel', subnetFile: `${folder}/subnet.env` },
    ...{ dataDir: `${folder}/flannel`, ipam: { dataDir: `${folder}/ipam` } },
    delegate: { hairpinMode: true, isDefaultGateway: true },
  },
})

test('a node is not ready until its agent has a lease; then pods of two nodes reach each other', () => {
  const { wire, nodes } = makeUnderlay(2, 'fl')
  const store = makeFolder('store')
  mkdirSync(`${store}/subnets`)
  writeFileSync(`${store}/config.json`, NET_CONF)
  const places = nodes.map((node): Place => ({ node, folder: makeFolder('fl') }))
  const [one, two] = places as [Place, Place]
  const [a, b] = [makeNetns('a'), makeNetns('b')]
  expect(callPlugin({ ...callOf(one, a), verb: 'STATUS' }).json).toMatchObject({ code: 50 })
  expect(callPlugin({ ...callOf(one, a), verb: 'ADD' }).json).toMatchObject({ code: 11 })
  for (const place of [one, two, one]) runAgent(place, store)
  expect(callPlugin({ ...callOf(one, a), verb: 'STATUS' }).status).toBe(0)
  const results = [callOf(one, a), callOf(two, b)].map((call) => mustCall({ ...call, verb: 'ADD' }) as PrintedResult)
  const [from = '', to = ''] = results.map(({ ips }) => ips[0]?.address.split('/')[0])
  const stops = [listen(b, 'pod', 8080), listen(wire, 'web', 8080)]
  expect(ask({ from: a, to, port: 8080 })).toBe(`pod ${from}`)
  expect(ask({ from: a, to: WIRE_IPV4, port: 8080 })).toBe(`web ${one.node.ipv4}`)
  const full = (bytes: number): number => runIn(a, ['ping', '-c1', '-W1', '-Mdo', `-s${bytes}`, to]).status
  expect([full(1450 - 28), full(1451 - 28)]).toEqual([0, 1])
  for (const stop of stops) stop()
})
