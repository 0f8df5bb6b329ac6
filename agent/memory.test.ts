import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseCidr } from '../addr/cidr.ts'
import { readIp } from '../addr/ip.ts'
import { readMac } from '../addr/mac.ts'
import type { Lease } from '../overlay/lease.ts'
import { makeFolder } from '../test/support/cleanup.ts'
import { type Memory, memoryFile, readMemory, writeMemory } from './memory.ts'

const lease = (key: string, subnet: string): Lease => ({
  key,
  subnet: parseCidr(subnet),
  publicIP: readIp('192.0.2.1') ?? expect.fail(),
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: readMac('02:00:00:00:00:01') ?? expect.fail() },
  v6Data: {},
})
const MEMORY: Memory = {
  store: 'file /x',
  netConf: '{"Network": "10.244.0.0/16"}',
  own: { lease: lease('10.244.1.0-24', '10.244.1.0/24'), expires: 1_795_344_216_250 },
  // in Kubernetes a lease is called after its node
  peers: [lease('node-2', '10.244.2.0/24')],
  devices: ['flannel.1'],
}

test('readMemory() gives back what writeMemory() wrote, for root alone', () => {
  const folder = makeFolder('memory')
  writeMemory(`${folder}/state`, MEMORY)
  expect(readMemory(`${folder}/state`)).toEqual(MEMORY)
  expect(statSync(memoryFile(`${folder}/state`)).mode & 0o777).toBe(0o600)
})

test.each([
  ['no file', undefined],
  ['no JSON', '{'],
  ['another form', JSON.stringify({ ...MEMORY, form: 2 })],
  ['no lease', JSON.stringify({ form: 1, ...MEMORY, own: {} })],
  ['a peer that is none', JSON.stringify({ form: 1, ...MEMORY, peers: [{ key: 'a', subnet: 'x', value: {} }] })],
  ['null', 'null'],
])('readMemory() knows nothing from %s', (_, text) => {
  const folder = makeFolder('memory')
  mkdirSync(`${folder}/state`)
  if (text !== undefined) writeFileSync(memoryFile(`${folder}/state`), text)
  expect(readMemory(`${folder}/state`)).toBeUndefined()
})
