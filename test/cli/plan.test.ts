/** `podwire plan`: says what ADD then does, and does nothing itself. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { ipJson, makeNetns, pathOf, runIn } from '../support/netns.ts'
import { binDir } from '../support/plugin.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`
const CAPS = JSON.stringify({
  portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
  bandwidth: { ingressRate: 1_000_000, ingressBurst: 100_000, egressRate: 1_000_000, egressBurst: 100_000 },
})

interface Bed {
  readonly node: string
  readonly pod: string
  readonly folder: string
  readonly podwire: (...args: readonly string[]) => Output
}

interface Plan {
  readonly network: string
  readonly plugins: readonly {
    readonly type: string
    readonly plan?: readonly { readonly kind: string }[]
    readonly commands: readonly { readonly ns: string; readonly command: string }[]
    readonly note?: string
  }[]
  readonly result?: Result
}
interface Result {
  readonly interfaces: readonly { readonly name: string; readonly mac?: string }[]
  readonly ips: readonly object[]
}

const conflist = (folder: string, more: readonly object[] = []) => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      ...{ type: 'bridge', bridge: 'br0', isDefaultGateway: true, ipMasq: true },
      ipam: {
        type: 'host-local',
        dataDir: `${folder}/store`,
        ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
    { type: 'firewall', backend: 'nftables' },
    { type: 'bandwidth', capabilities: { bandwidth: true } },
    ...more,
  ],
})

const makeBed = (more: readonly object[] = []): Bed => {
  const folder = makeFolder('plan')
  const [node, pod] = [makeNetns('node'), makeNetns('pod')]
  mkdirSync(`${folder}/net.d`)
  writeFileSync(`${folder}/net.d/pods.conflist`, JSON.stringify(conflist(folder, more)))
  const env = { PATH: process.env.PATH ?? '', NETCONFPATH: `${folder}/net.d`, CNI_PATH: binDir() }
  return { node, pod, folder, podwire: (...args) => runIn(node, [PODWIRE, ...args], { env }) }
}

const planOf = (output: Output): Plan => {
  if (output.status !== 0) throw new Error(output.stderr)
  return JSON.parse(output.stdout) as Plan
}
const add = ({ podwire, pod, folder }: Bed): Result => {
  const args = ['--container-id', 'c1', '--cap-args', CAPS, '--cache-dir', `${folder}/cache`]
  return JSON.parse(podwire('run', 'add', 'pods', pathOf(pod), ...args).stdout) as Result
}

describe('podwire plan', () => {
  test('changes nothing, on the node or in files', () => {
    const bed = makeBed()
    const before = snapshot(bed.node, [bed.folder])
    expect(bed.podwire('plan', 'pods', '--cap-args', CAPS).status).toBe(0)
    expect(difference(before, snapshot(bed.node, [bed.folder]))).toEqual([])
  })

  test('gives the addresses, interfaces and MACs that ADD then gives', () => {
    const bed = makeBed()
    const options = ['--container-id', 'c1', '--netns', pathOf(bed.pod), '--cap-args', CAPS, '--json']
    const { result } = planOf(bed.podwire('plan', 'pods', ...options))
    const added = add(bed)
    expect(result?.ips).toEqual(added.ips)
    const known = (result?.interfaces ?? []).filter(({ mac }) => mac !== undefined)
    expect(known.length).toBeGreaterThan(2)
    expect(added.interfaces).toEqual(expect.arrayContaining(known.map((each) => expect.objectContaining(each))))
    expect(added.interfaces.map(({ name }) => name)).toEqual(result?.interfaces.map(({ name }) => name))
  })

  test('names every link and address that ADD then makes', () => {
    const bed = makeBed()
    const options = ['--container-id', 'c1', '--netns', pathOf(bed.pod), '--cap-args', CAPS]
    const { stdout } = bed.podwire('plan', 'pods', ...options)
    add(bed)
    const made = ipJson(bed.node, 'addr').filter(({ ifname }) => ifname !== 'lo')
    expect(made.length).toBe(3)
    for (const { ifname } of made) expect(stdout).toContain(`node # ip link add ${ifname}`)
    for (const address of ['10.9.0.2/24', 'fd00:9::2/64']) expect(stdout).toContain(`pod  # ip addr add ${address}`)
  })

  test('tells what a capability would add, and what needs none', () => {
    const { plugins } = planOf(makeBed().podwire('plan', 'pods', '--json'))
    expect(plugins.map(({ type, note }) => [type, note])).toEqual([
      ['bridge', undefined],
      ['portmap', 'nothing without portMappings: give --cap-args'],
      ['firewall', undefined],
      ['bandwidth', 'nothing without bandwidth: give --cap-args'],
    ])
  })

  test('takes addresses in place of those of IPAM', () => {
    const { result } = planOf(makeBed().podwire('plan', 'pods', '--ip', '10.9.0.77/24', '--json'))
    expect(result?.ips).toEqual([{ address: '10.9.0.77/24', gateway: '10.9.0.1', interface: 2 }])
  })

  test('ends at a plugin it does not have', () => {
    const { plugins, result } = planOf(makeBed([{ type: 'sbr' }, { type: 'tuning' }]).podwire('plan', 'pods', '--json'))
    expect(plugins.at(-1)).toMatchObject({ type: 'sbr', note: expect.stringContaining('is no plugin of podwire') })
    expect(result).toBeUndefined()
  })

  test('refuses what ADD would refuse, and names the plugin', () => {
    const { status, stderr } = makeBed([{ type: 'tuning', mtu: 'large' }]).podwire('plan', 'pods')
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: 'podwire: tuning: $.mtu: "large" is not of type integer (code 7)\n',
    })
  })

  test('reads a file that is no configured network', () => {
    const bed = makeBed()
    const file = `${bed.folder}/one.conf`
    writeFileSync(file, JSON.stringify({ ...conflist(bed.folder).plugins[0], cniVersion: '0.4.0', name: 'one' }))
    expect(bed.podwire('plan', file)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^network one of .*one.conf, cniVersion 0.4.0\n/),
    })
    expect(bed.podwire('plan', `${bed.folder}/none.conf`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('none.conf'),
    })
  })
})
