/** Upstream's libcni drives the whole chain on a node with two pods and a neighbour: every verb it has, in every version
 *  of the specification it takes; then traffic, and what is left. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { removeNetns } from '../support/cleanup.ts'
import { difference } from '../support/leftovers.ts'
import { ipJson, mustIn } from '../support/netns.ts'
import { NODE_IPV4, NODE_IPV6, OUTSIDE_IPV4 } from '../support/node.ts'
import { ask, listen, settle } from '../support/probe.ts'
import { newerClient, stableClient } from './libcni.ts'
import { added, makeRuntime, stateWhenUsed } from './runtime.ts'

const VERSIONS = [
  { libcni: '1.1', client: stableClient, cniVersion: '0.4.0' },
  { libcni: '1.1', client: stableClient, cniVersion: '1.0.0' },
  { libcni: '1.3', client: newerClient, cniVersion: '0.4.0' },
  { libcni: '1.3', client: newerClient, cniVersion: '1.0.0' },
  { libcni: '1.3', client: newerClient, cniVersion: '1.1.0' },
] as const

test.for(VERSIONS)('libcni $libcni adds, checks and deletes a chain of $cniVersion', ({ client, cniVersion }) => {
  const runtime = makeRuntime(client(), { cniVersion })
  const before = stateWhenUsed(runtime)
  runtime.add(0)
  runtime.add(1)
  expect([runtime.call('check', 0), runtime.call('check', 1)]).toEqual([{}, {}])
  expect([runtime.call('del', 0), runtime.call('del', 1), runtime.call('del', 1)]).toEqual([{}, {}, {}])
  expect(difference(before, runtime.state())).toEqual([])
})

test.for([{}, { backend: 'nftables' }] as const)(
  'pods of a list with %o talk to each other, the outside and a published port',
  (options) => {
    const runtime = makeRuntime(newerClient(), { cniVersion: '1.0.0', ...options })
    const { node, outside, pods } = runtime.bed
    const [server = '', client = ''] = pods
    const [server4 = '', server6 = ''] = runtime.add(0)
    const [client4 = '', client6 = ''] = runtime.add(1)
    listen(server, 'pod', 8080)
    listen(outside, 'outside', 80)
    settle(node)
    expect(ask({ from: client, to: server4, port: 8080 })).toBe(`pod ${client4}`)
    expect(ask({ from: client, to: server6, port: 8080 })).toBe(`pod ${client6}`)
    expect(ask({ from: client, to: OUTSIDE_IPV4, port: 80 })).toBe(`outside ${NODE_IPV4}`)
    expect(ask({ from: outside, to: NODE_IPV4, port: 18080 })).toMatch(/^pod /)
    expect(ask({ from: outside, to: NODE_IPV6, port: 18080 })).toMatch(/^pod /)
    expect(ask({ from: server, to: NODE_IPV4, port: 18080 })).toMatch(/^pod /)
    expect(ask({ from: node, to: '127.0.0.1', port: 18080 })).toMatch(/^pod /)
    runtime.call('del', 0)
    expect(ask({ from: outside, to: NODE_IPV4, port: 18080 })).toBe('')
  },
)

test('CHECK through libcni finds what was taken from a pod', () => {
  const runtime = makeRuntime(newerClient(), { cniVersion: '1.1.0' })
  const [, pod = ''] = runtime.bed.pods
  const [ipv4 = ''] = runtime.add(1)
  mustIn(pod, ['ip', 'addr', 'del', `${ipv4}/24`, 'dev', 'eth0'])
  expect(runtime.call('check', 1).error).toMatchObject({ code: 100, details: expect.stringContaining(ipv4) })
})

test('gc through libcni keeps the attachments it is told and removes the rest', () => {
  const runtime = makeRuntime(newerClient(), { cniVersion: '1.1.0' })
  stateWhenUsed(runtime)
  const [kept = ''] = runtime.add(1)
  const before = runtime.state()
  runtime.add(0)
  removeNetns(runtime.bed.pods[0] ?? '')
  rmSync(`${runtime.bed.folder}/cache`, { recursive: true }) // or libcni makes a DEL of its own of it
  expect(runtime.call('gc', 1, { keep: [{ containerID: 'pod1', ifName: 'eth0' }] })).toEqual({})
  expect(added(before, runtime.state())).toEqual([])
  expect(ipJson(runtime.bed.pods[1] ?? '', 'addr', 'show', 'dev', 'eth0')[0]).toMatchObject({
    addr_info: expect.arrayContaining([expect.objectContaining({ local: kept })]),
  })
})

test('gc through libcni with nothing to keep removes every attachment of the network', () => {
  const runtime = makeRuntime(newerClient(), { cniVersion: '1.1.0' })
  const before = stateWhenUsed(runtime)
  runtime.add(0)
  runtime.add(1)
  expect(runtime.call('gc', 0, { keep: [] })).toEqual({})
  expect(added(before, runtime.state())).toEqual([])
})

test('status through libcni is fine before the first pod and after it', () => {
  const runtime = makeRuntime(newerClient(), { cniVersion: '1.1.0' })
  expect(runtime.call('status', 0)).toEqual({})
  runtime.add(0)
  expect(runtime.call('status', 0)).toEqual({})
})
