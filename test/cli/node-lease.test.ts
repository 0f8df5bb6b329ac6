/** `podwire node lease`, by which the plugin `vxlan` asks a store: here a folder, which it takes as well. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { LeaseAnswer } from '../../overlay/lease-exchange.ts'
import { makeFolder } from '../support/cleanup.ts'
import { runIn } from '../support/netns.ts'
import { makeUnderlay } from '../support/underlay.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

const makeStore = (): string => {
  const folder = makeFolder('lease')
  mkdirSync(`${folder}/subnets`)
  writeFileSync(`${folder}/config.json`, '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}')
  writeFileSync(`${folder}/subnets/10.244.9.0-24.json`, '{"PublicIP": "192.0.2.9", "BackendType": "vxlan"}')
  writeFileSync(`${folder}/subnets/10.244.8.0-24.json`, '{"PublicIP": ')
  return folder
}

const ask = (netns: string, input: string) => {
  const { status, stdout, stderr } = runIn(netns, [PODWIRE, 'node', 'lease'], { input })
  return { status, stderr, json: JSON.parse(stdout) as LeaseAnswer & { readonly code?: number; readonly msg?: string } }
}

const request = (folder: string, question: string, more: object = {}): string =>
  JSON.stringify({ question, options: { store: 'file', 'store-dir': folder, ...more }, previous: [] })

test('look says what there is, take takes a lease once', () => {
  const [netns, folder] = [makeUnderlay(1, 'lease').nodes[0]?.netns ?? '', makeStore()]
  const looked = ask(netns, request(folder, 'look'))
  expect(looked).toMatchObject({ status: 0, stderr: '', json: { isNew: false, publicAddresses: {} } })
  expect([looked.json.own, looked.json.leases.map(({ key }) => key)]).toEqual([undefined, ['10.244.9.0-24']])
  expect(Object.keys(looked.json.invalid)).toEqual(['10.244.8.0-24'])
  expect(readdirSync(`${folder}/subnets`)).toHaveLength(2)
  const [taken, again] = [ask(netns, request(folder, 'take')), ask(netns, request(folder, 'take'))]
  expect(taken.json).toMatchObject({ isNew: true, own: { publicIP: '192.0.2.1', backendType: 'vxlan' } })
  expect([again.json.isNew, again.json.own]).toEqual([false, taken.json.own])
})

test.for<[what: string, input: (folder: string) => string, code: number, said: string]>([
  ['no request', () => 'lease, please', 6, 'stdin holds no request'],
  ['an option that is none', (folder) => request(folder, 'look', { iface: 'eth0' }), 7, 'is not of type array'],
  ['an interface that is not there', (folder) => request(folder, 'look', { iface: ['x0'] }), 7, 'no interface "x0"'],
  ['a store that is not there', () => request('/none', 'look'), 11, '/none/config.json'],
  ['etcd that does not answer', () => request('', 'take', { store: 'etcd' }), 11, 'etcd does not answer'],
])('%s is refused as a plugin refuses it', ([, input, code, said]) => {
  const { status, json, stderr } = ask(makeUnderlay(1, 'lease').nodes[0]?.netns ?? '', input(makeStore()))
  expect([status, json, stderr]).toMatchObject([1, { code, msg: expect.stringContaining(said) }, ''])
})
