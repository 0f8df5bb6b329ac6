/** `podwire run` as cnitool, with the reference plugins and with podwire's. The reference is a black box here: what libcni
 *  promises plugins must hold for both. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { ipJson, makeNetns, pathOf, runIn } from '../support/netns.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

interface Bed {
  readonly node: string
  readonly pod: string
  readonly folder: string
  readonly run: (args: readonly string[], env?: Readonly<Record<string, string>>) => Output
}

const conflist = (folder: string, cniVersion: string) => ({
  cniVersion,
  name: 'pods',
  plugins: [
    {
      ...{ type: 'bridge', bridge: 'br0', isDefaultGateway: true, capabilities: { mac: true } },
      ipam: {
        type: 'host-local',
        dataDir: `${folder}/store`,
        ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
      },
    },
    { type: 'tuning', sysctl: { 'net.core.somaxconn': '1234' } },
  ],
})

const makeBed = (bin: string, cniVersion = '1.0.0'): Bed => {
  const folder = makeFolder('run')
  const [node, pod] = [makeNetns('node'), makeNetns('pod')]
  mkdirSync(`${folder}/net.d`)
  writeFileSync(`${folder}/net.d/10-pods.conflist`, JSON.stringify(conflist(folder, cniVersion)))
  const run: Bed['run'] = (args, env = {}) =>
    runIn(node, [PODWIRE, 'run', ...args, '--cache-dir', `${folder}/cache`], {
      env: { PATH: process.env.PATH ?? '', NETCONFPATH: `${folder}/net.d`, CNI_PATH: bin, ...env },
    })
  return { node, pod, folder, run }
}

const cached = ({ folder }: Bed): readonly string[] => readdirSync(`${folder}/cache/results`)
const addressesOf = (netns: string, link: string): readonly unknown[] =>
  ipJson(netns, '-4', 'addr', 'show', 'dev', link).flatMap(({ addr_info }) => addr_info as readonly unknown[])

describe.each([
  ['the reference plugins', () => REFERENCE],
  ['podwire', binDir],
])('podwire run with %s', (_, bin) => {
  test('attaches, checks and detaches, and caches the result in between', () => {
    const bed = makeBed(bin())
    const added = bed.run(['add', 'pods', pathOf(bed.pod)])
    expect(added).toMatchObject({ status: 0 })
    const result = JSON.parse(added.stdout)
    expect(result).toMatchObject({
      cniVersion: '1.0.0',
      ips: [{ address: '10.9.0.2/24' }, { address: 'fd00:9::2/64' }],
    })
    expect(addressesOf(bed.pod, 'eth0')).toMatchObject([{ local: '10.9.0.2' }])
    expect(runIn(bed.pod, ['cat', '/proc/sys/net/core/somaxconn']).stdout.trim()).toBe('1234')
    const [file = ''] = cached(bed)
    expect(file).toMatch(/^pods-cnitool-[0-9a-f]{20}-eth0$/)
    expect(JSON.parse(readFileSync(`${bed.folder}/cache/results/${file}`, 'utf8'))).toMatchObject({
      ...{ kind: 'cniCacheV1', networkName: 'pods', ifName: 'eth0', netns: pathOf(bed.pod), result },
    })
    expect(bed.run(['check', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0, stdout: '' })
    expect(bed.run(['del', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0, stdout: '' })
    expect(cached(bed)).toEqual([])
    expect(ipJson(bed.pod, 'link').map(({ ifname }) => ifname)).toEqual(['lo'])
    expect(bed.run(['del', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0 })
  })

  test('takes the interface from -i before CNI_IFNAME, and capabilities from CAP_ARGS', () => {
    const bed = makeBed(bin())
    const env = { CNI_IFNAME: 'net7', CAP_ARGS: '{"mac":"02:00:00:00:00:07"}' }
    expect(bed.run(['add', 'pods', pathOf(bed.pod)], env).status).toBe(0)
    expect(bed.run(['add', '-i', 'net8', 'pods', pathOf(bed.pod)], { CNI_IFNAME: 'net7' }).status).toBe(0)
    const macs = Object.fromEntries(ipJson(bed.pod, 'link').map(({ ifname, address }) => [ifname, address]))
    expect(macs).toMatchObject({ net7: '02:00:00:00:00:07', net8: expect.any(String) })
    // two default routes in each family: both attachments hold, and one can go without the other
    expect(bed.run(['check', '-i', 'net7', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0, stderr: '' })
    expect(bed.run(['check', '-i', 'net8', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0, stderr: '' })
    expect(bed.run(['del', '-i', 'net8', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0 })
    expect(bed.run(['check', '-i', 'net7', 'pods', pathOf(bed.pod)])).toMatchObject({ status: 0, stderr: '' })
  })

  test('CHECK fails when the address is gone', () => {
    const bed = makeBed(bin())
    bed.run(['add', 'pods', pathOf(bed.pod)])
    runIn(bed.pod, ['ip', 'addr', 'flush', 'dev', 'eth0'])
    const { status, stderr } = bed.run(['check', 'pods', pathOf(bed.pod)])
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/^podwire: bridge CHECK: /) })
  })

  test('DEL succeeds when the namespace is gone, by the path alone', () => {
    const bed = makeBed(bin())
    bed.run(['add', 'pods', pathOf(bed.pod)])
    runIn(bed.node, ['ip', 'netns', 'del', bed.pod])
    expect(bed.run(['del', 'pods', pathOf(bed.pod)]).status).toBe(0)
    expect(readdirSync(`${bed.folder}/store/pods`).filter((name) => /^(10\.|fd00:)/.test(name))).toEqual([])
  })

  test('gc removes every attachment but those that are kept', () => {
    const bed = makeBed(bin())
    bed.run(['add', 'pods', pathOf(bed.pod), '--container-id', 'one'])
    bed.run(['add', 'pods', pathOf(bed.pod), '--container-id', 'two', '-i', 'eth1'])
    expect(bed.run(['gc', 'pods', '--keep', 'one/eth0'])).toMatchObject({ status: 0 })
    expect(cached(bed)).toEqual(['pods-one-eth0'])
    expect(ipJson(bed.pod, 'link').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0'])
    expect(bed.run(['gc', 'pods'])).toMatchObject({ status: 0 })
    expect(cached(bed)).toEqual([])
  })

  test('says how long each plugin took with --timing', () => {
    const bed = makeBed(bin())
    const { stderr } = bed.run(['add', 'pods', pathOf(bed.pod), '--timing'])
    expect(stderr).toMatch(/^ADD {4}bridge +\d+\.\d ms\nADD {4}tuning +\d+\.\d ms\n$/)
  })
})

test('podwire run names the plugin that refused, its code, and what it said', () => {
  const bed = makeBed(REFERENCE)
  const { status, stdout, stderr } = bed.run(['add', 'pods', '/nowhere'])
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^podwire: bridge ADD: failed to open netns.*\(code 999\)\n/)
})

test('podwire run status asks nobody before 1.1.0, and says so', () => {
  const bed = makeBed(REFERENCE)
  expect(bed.run(['status', 'pods'])).toMatchObject({
    status: 0,
    stderr: expect.stringContaining('STATUS came with 1.1.0'),
  })
})

test('podwire run status asks every plugin', () => {
  const bed = makeBed(binDir(), '1.1.0')
  expect(bed.run(['status', 'pods', '/run/netns/ignored'])).toMatchObject({ status: 0, stderr: '' })
})
