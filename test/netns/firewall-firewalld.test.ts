/** firewall with a real firewalld, on a system bus of its own, both in a namespace made here. The package is unpacked, not
 *  installed: its installation starts it on the node. */
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { cached } from '../support/cache.ts'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { unpackOwn } from '../support/debian.ts'
import { inside, mustIn, runIn } from '../support/netns.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'
import { waitFor } from '../support/probe.ts'
import { type Bed, call, gc, makeBed, must, prevResultOf } from './firewall.bed.ts'

const FIREWALLD = { backend: 'firewalld' }

let bed: Bed
/** What the plugin and firewall-cmd find the bus by. */
let env: Record<string, string>
let firewalld: ChildProcess

const start = (log: string, ...argv: readonly string[]): ChildProcess => {
  const [file = '', ...args] = inside(bed.node, argv)
  const out = openSync(log, 'a')
  const child = spawn(file, args, { stdio: ['ignore', out, out], env: { ...process.env, ...env } })
  onCleanup(() => child.kill('SIGKILL'))
  return child
}

/** Everything is allowed: the bus is the test's alone. */
const ALLOWED = [
  'user="*"',
  'own="*"',
  ...['method_call', 'signal'].map((type) => `send_type="${type}"`),
  ...['method_return', 'error'].map((type) => `send_requested_reply="true" send_type="${type}"`),
  ...['method_call', 'method_return', 'error', 'signal'].map((type) => `receive_type="${type}"`),
]
const busConfig = (socket: string): string =>
  `<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth><policy context="default">${ALLOWED.map((rule) => `<allow ${rule}/>`).join('')}</policy></busconfig>`

let unpacked: string
const runFirewallCmd = (...args: readonly string[]): Output =>
  runIn(bed.node, [`${unpacked}/usr/bin/firewall-cmd`, ...args], { env: { PATH: process.env.PATH ?? '', ...env } })

const startFirewalld = (): void => {
  const config = [`--default-config=${unpacked}/usr/lib/firewalld`, `--system-config=${unpacked}/etc/firewalld`]
  const log = `${folder}/log`
  firewalld = start(log, `${unpacked}/usr/sbin/firewalld`, '--nofork', '--nopid', '--log-target', 'console', ...config)
  if (waitFor(() => runFirewallCmd('--state').status === 0, 30_000)) return
  throw new Error(`firewalld did not come up in 30 s: ${readFileSync(log, 'utf8')}`)
}

let folder: string
beforeAll(() => {
  unpacked = cached('firewalld', 'firewalld', (draft) => unpackOwn(['firewalld'], draft))
  bed = makeBed()
  folder = makeFolder('dbus')
  writeFileSync(`${folder}/bus.conf`, busConfig(`${folder}/socket`))
  env = { DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${folder}/socket` }
  start(`${folder}/log`, 'dbus-daemon', `--config-file=${folder}/bus.conf`, '--nofork')
  startFirewalld()
})

const firewallCmd = (...args: readonly string[]): string => {
  const { status, stdout, stderr } = runFirewallCmd(...args)
  expect(status, stderr).toBe(0)
  return stdout.trim()
}
const sources = (zone = 'trusted'): string[] =>
  firewallCmd(`--zone=${zone}`, '--list-sources').split(' ').filter(Boolean).sort()
const OF_A = ['10.1.0.2/32', 'fd01::2/128']

test('ADD puts the addresses into the zone, CHECK finds them, DEL takes them out', () => {
  expect(must(bed, 'ADD', bed.a, FIREWALLD, { env })).toEqual({ cniVersion: '1.1.0', ...prevResultOf(bed.a) })
  expect(sources()).toEqual(OF_A)
  expect(call(bed, 'CHECK', bed.a, FIREWALLD, { env })).toMatchObject({ status: 0, stdout: '' })
  firewallCmd('--zone=trusted', '--remove-source=fd01::2/128')
  expect(call(bed, 'CHECK', bed.a, FIREWALLD, { env })).toMatchObject({
    status: 1,
    json: { code: 100, msg: expect.stringContaining('fd01::2/128') },
  })
  must(bed, 'ADD', bed.a, FIREWALLD, { env })
  must(bed, 'DEL', bed.a, FIREWALLD, { env })
  must(bed, 'DEL', bed.a, FIREWALLD, { env })
  expect(sources()).toEqual([])
})

test('DEL knows the addresses without prevResult, and GC those of whom the list does not name', () => {
  for (const pod of [bed.a, bed.b]) must(bed, 'ADD', pod, FIREWALLD, { env })
  must(bed, 'DEL', bed.a, { ...FIREWALLD, prevResult: undefined }, { env })
  expect(sources()).toEqual(['10.1.0.3/32', 'fd01::3/128'])
  must(bed, 'ADD', bed.a, FIREWALLD, { env })
  must(
    bed,
    'GC',
    bed.a,
    { ...FIREWALLD, prevResult: undefined, 'cni.dev/valid-attachments': [{ containerID: 'a', ifname: 'eth0' }] },
    { env },
  )
  expect(sources()).toEqual(OF_A)
  must(bed, 'DEL', bed.a, FIREWALLD, { env })
  gc(bed, FIREWALLD)
})

test('another zone; an address that a pod before left in one is moved; an unknown zone is named', () => {
  firewallCmd('--zone=public', '--add-source=10.1.0.2/32')
  must(bed, 'ADD', bed.a, { ...FIREWALLD, firewalldZone: 'internal' }, { env })
  expect([sources('internal'), sources('public')]).toEqual([OF_A, []])
  must(bed, 'DEL', bed.a, { ...FIREWALLD, firewalldZone: 'internal' }, { env })
  const refused = call(bed, 'ADD', bed.a, { ...FIREWALLD, firewalldZone: 'nowhere' }, { env })
  expect(refused).toMatchObject({ status: 1, json: { code: 102, msg: expect.stringContaining('"nowhere"') } })
  expect(mustIn(bed.node, ['nft', 'list', 'ruleset'])).not.toContain('net/a/eth0')
})

test.for([
  ['podwire attaches, the reference detaches', 'podwire'],
  ['the reference attaches, podwire detaches', 'reference'],
] as const)('%s', ([, who]) => {
  const [first, second] = who === 'podwire' ? [binDir(), REFERENCE] : [REFERENCE, binDir()]
  const keys = { ...FIREWALLD, cniVersion: '1.0.0' }
  must(bed, 'ADD', bed.a, keys, { env, bin: first })
  expect(sources()).toEqual(OF_A)
  expect(call(bed, 'CHECK', bed.a, keys, { env, bin: second })).toMatchObject({ status: 0, stdout: '' })
  must(bed, 'DEL', bed.a, keys, { env, bin: second })
  expect(sources()).toEqual([])
  gc(bed, FIREWALLD)
})

test('firewalld is chosen by itself when it runs, and STATUS knows', () => {
  must(bed, 'ADD', bed.a, {}, { env })
  expect(sources()).toEqual(OF_A)
  expect(call(bed, 'CHECK', bed.a, {}, { env }).status).toBe(0)
  expect(call(bed, 'STATUS', bed.a, { prevResult: undefined }, { env }).status).toBe(0)
  must(bed, 'DEL', bed.a, {}, { env })
  const nftables = call(bed, 'STATUS', bed.a, { backend: 'nftables', prevResult: undefined }, { env })
  expect(nftables).toMatchObject({ status: 1, json: { code: 51, msg: expect.stringContaining('firewalld') } })
})

test('without firewalld ADD and STATUS say so, DEL succeeds', () => {
  must(bed, 'ADD', bed.a, FIREWALLD, { env })
  firewalld.kill('SIGTERM')
  expect(
    waitFor(() => call(bed, 'STATUS', bed.a, { ...FIREWALLD, prevResult: undefined }, { env }).status === 1, 20_000),
  ).toBe(true)
  expect(call(bed, 'ADD', bed.b, FIREWALLD, { env })).toMatchObject({
    status: 1,
    json: { code: 50, msg: expect.stringContaining('firewalld is not running') },
  })
  expect(call(bed, 'CHECK', bed.a, FIREWALLD, { env })).toMatchObject({ status: 1, json: { code: 100 } })
  must(bed, 'DEL', bed.a, FIREWALLD, { env })
  must(bed, 'DEL', bed.a, FIREWALLD, { env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/run/pw-no-such-socket' } })
  expect(mustIn(bed.node, ['nft', 'list', 'ruleset'])).not.toContain('net/a/eth0')
})
