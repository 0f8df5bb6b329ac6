/** The whole chain on the kernel that Debian ships, with each backend. */
import { deepEqual, equal } from 'node:assert/strict'
import { chainList } from '../clients/list.ts'
import { addChain, type ConfList, checkChain, delChain } from '../support/chain.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNode, NODE_IPV4, NODE_IPV6, OUTSIDE_IPV4 } from '../support/node.ts'
import { binDir } from '../support/plugin.ts'
import { ask, listen, settle } from '../support/probe.ts'
import type { Cases } from './case.ts'

const portMappings = [{ hostPort: 18080, containerPort: 8080, protocol: 'tcp' }]

/** A software guest takes its time. */
const patience = 5

const failures = (ends: readonly { readonly status: number; readonly stdout: string }[]): readonly string[] =>
  ends.filter(({ status }) => status !== 0).map(({ stdout }) => stdout)

const chainCase = (backend: 'nftables' | 'iptables') => () => {
  const bed = makeNode(2)
  const [server = '', client = ''] = bed.pods
  const list = chainList({ cniVersion: '1.0.0', dataDir: `${bed.folder}/ipam`, backend }) as ConfList
  const attachment = (pod: number) => ({
    bin: binDir(),
    node: bed.node,
    containerID: `pod${pod}`,
    netns: bed.pods[pod] ?? '',
    ifName: 'eth0',
    capabilities: pod === 0 ? { portMappings } : {},
  })
  const state = () => snapshot(bed.node, [bed.folder]).filter((line) => !/last_reserved_ip|\.podwire/.test(line))
  delChain(list, attachment(0), addChain(list, attachment(0)))
  const before = state()

  const results = [0, 1].map((pod) => addChain(list, attachment(pod)))
  listen(server, 'pod', 8080)
  listen(bed.outside, 'outside', 80)
  settle(bed.node)
  equal(ask({ from: client, to: '10.9.0.3', port: 8080, patience }), 'pod 10.9.0.4')
  equal(ask({ from: client, to: 'fd00:9::3', port: 8080, patience }), 'pod fd00:9::4')
  equal(ask({ from: client, to: OUTSIDE_IPV4, port: 80, patience }), `outside ${NODE_IPV4}`)
  for (const to of [NODE_IPV4, NODE_IPV6])
    equal(ask({ from: bed.outside, to, port: 18080, patience }).split(' ')[0], 'pod')
  deepEqual(failures([0, 1].flatMap((pod) => checkChain(list, attachment(pod), results[pod]))), [])

  deepEqual(failures([0, 1].flatMap((pod) => delChain(list, attachment(pod), results[pod]))), [])
  deepEqual(difference(before, state()), [])
}

export const chainCases: Cases = {
  'the chain with nftables carries traffic and leaves nothing': chainCase('nftables'),
  'the chain with iptables carries traffic and leaves nothing': chainCase('iptables'),
}
