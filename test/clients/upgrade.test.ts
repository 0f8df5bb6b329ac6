/** A node upgraded in place: pods that the reference plugins attached are checked, deleted and collected by podwire, by
 *  the same runtime with the same configuration and the same files. */
import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { removeNetns } from '../support/cleanup.ts'
import { makeNode, NODE_IPV4 } from '../support/node.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'
import { ask, listen } from '../support/probe.ts'
import { newerClient } from './libcni.ts'
import { added, type Runtime, runtimeOn, stateWhenUsed } from './runtime.ts'

interface Upgrade {
  readonly before: Runtime
  readonly after: Runtime
}

/** The node before the upgrade and after it. */
const makeUpgrade = (): Upgrade => {
  const bed = makeNode(2, 'upgrade')
  return {
    before: runtimeOn(bed, newerClient(), { cniVersion: '1.0.0' }, REFERENCE),
    after: runtimeOn(bed, newerClient(), { cniVersion: '1.1.0' }, binDir()),
  }
}

test('DEL of a pod of the reference plugins leaves no more than their own DEL', () => {
  const { before, after } = makeUpgrade()
  const state = stateWhenUsed(before)
  before.add(0)
  expect(after.call('del', 0)).toEqual({})
  expect(added(state, after.state())).toEqual([])
})

test('DEL of a pod of the reference plugins does not need its namespace', () => {
  const { before, after } = makeUpgrade()
  const state = stateWhenUsed(before)
  before.add(0)
  removeNetns(before.bed.pods[0] ?? '')
  expect(after.call('del', 0)).toEqual({})
  expect(added(state, after.state())).toEqual([])
})

/** Rules of the reference firewall name nothing but the pod's address, which only the result could tell: its own DEL
 *  leaves them too. */
test('DEL of a pod of the reference plugins without its result releases addresses, ports and masquerading', () => {
  const { before, after } = makeUpgrade()
  const state = stateWhenUsed(before)
  before.add(0)
  rmSync(`${before.bed.folder}/cache`, { recursive: true })
  expect(after.call('del', 0)).toEqual({})
  const left = added(state, after.state()).filter((line) => !/CNI-FORWARD|counter accept/.test(line))
  expect(left).toEqual([])
})

test('GC removes the lost pods of the reference plugins and leaves the living ones their network', () => {
  const { before, after } = makeUpgrade()
  stateWhenUsed(before)
  const [server = ''] = before.add(0)
  const state = before.state()
  before.add(1)
  expect(after.call('gc', 0, { keep: [{ containerID: 'pod0', ifName: 'eth0' }] })).toEqual({})
  expect(added(state, after.state())).toEqual([])
  const { node, outside, pods } = before.bed
  listen(pods[0] ?? '', 'pod', 8080)
  expect(ask({ from: node, to: server, port: 8080 })).toMatch(/^pod /)
  expect(ask({ from: outside, to: NODE_IPV4, port: 18080 })).toMatch(/^pod /)
})

/** Nothing but a cached result leads from the container's id to the reference's rules for its address. */
test('GC after a crash of the node that lost pod and result releases what the reference plugins held', () => {
  const { before, after } = makeUpgrade()
  const state = stateWhenUsed(before)
  before.add(0)
  removeNetns(before.bed.pods[0] ?? '')
  rmSync(`${before.bed.folder}/cache`, { recursive: true })
  expect(after.call('gc', 0, { keep: [] })).toEqual({})
  const left = added(state, after.state()).filter((line) => !/CNI-FORWARD|counter accept/.test(line))
  expect(left).toEqual([])
})

test('a pod of podwire and one of the reference plugins share a bridge and a pool', () => {
  const { before, after } = makeUpgrade()
  const [old4 = '', old6 = ''] = before.add(0)
  const [new4 = '', new6 = ''] = after.add(1)
  listen(before.bed.pods[0] ?? '', 'old', 8080)
  const from = before.bed.pods[1] ?? ''
  expect(ask({ from, to: old4, port: 8080 })).toBe(`old ${new4}`)
  expect(ask({ from, to: old6, port: 8080 })).toBe(`old ${new6}`)
  expect(before.call('del', 0)).toEqual({})
  expect(after.call('check', 1)).toEqual({})
})

test('CHECK of a pod of the reference plugins finds it in order, or says what is not as podwire would make it', () => {
  const { before, after } = makeUpgrade()
  before.add(0)
  const { error } = after.call('check', 0)
  expect([undefined, 100]).toContain(error?.code)
  if (error !== undefined) expect(error.details).not.toBe('')
})
