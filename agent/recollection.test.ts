import { expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import { parseNetConf } from '../overlay/net-conf.ts'
import { openKnowledge } from './knowledge.ts'
import { openLeases } from './leases.ts'
import type { Memory } from './memory.ts'
import { openRecall, type RecallParts } from './recollection.ts'

const NET_CONF = '{"Network": "10.244.0.0/16"}'
const MEMORY: Memory = {
  store: 'file /x',
  netConf: NET_CONF,
  own: { lease: { key: '10.244.1.0-24', backendType: 'vxlan', data: {}, v6Data: {} } },
  peers: [{ key: '10.244.2.0-24', backendType: 'vxlan', data: {}, v6Data: {} }],
  devices: ['flannel.1'],
}

/** A node that remembers `memory` and may be one that the configuration does not fit. */
const open = (memory: Partial<Memory> = {}, fits = true) => {
  const [know, leases, said] = [openKnowledge(), openLeases(), [] as string[]]
  const adopt = (text: string): boolean => {
    if (!fits) throw new DecodeError('$.Network', 'overlaps the underlay')
    know.netConf = { text, conf: parseNetConf(text) }
    return true
  }
  const parts = {
    ...{ know, leases, memory: { ...MEMORY, ...memory }, surroundings: { adopt, look: () => false } },
    options: { store: 'file', storeDir: '/x' },
    log: { warn: (_: unknown, text: string) => said.push(text) },
  }
  return { know, leases, said, recall: openRecall(parts as unknown as RecallParts) }
}

test('what an earlier agent knew of the same store is worked with, once', () => {
  const { know, leases, recall } = open()
  expect([recall(), recall()]).toEqual([true, false])
  expect(know.own?.own).toEqual(MEMORY.own)
  expect([know.isRemembering, leases.isKnown()]).toEqual([true, false])
  expect(leases.all()).toEqual(MEMORY.peers)
})

test.each([
  ['another store', { store: 'file /y' }],
  ['a lease that is over', { own: { ...MEMORY.own, expires: 1 } }],
])('nothing is worked with of %s', (_, memory) => {
  const { know, recall } = open(memory)
  expect(recall()).toBe(false)
  expect([know.isRemembering, know.netConf]).toEqual([false, undefined])
})

test('a configuration that does not fit this node any more ends nothing: it is as if there were none', () => {
  const { know, leases, said, recall } = open({}, false)
  expect([recall(), recall()]).toEqual([false, false])
  expect([know.isRemembering, leases.all()]).toEqual([false, []])
  expect(said).toHaveLength(1)
})
