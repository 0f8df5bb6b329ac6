/** The agent's command line on a real node: what it refuses to begin with, --once, --dry-run, --cleanup, its options. */
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import { ipJson, mustIn, runIn, shellIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { callAgent as call, makeOverlay, type OverlayBed, PODWIRE, subnetEnv, writeNetConf } from './agent.bed.ts'

const textOf = (netns: string, ...command: readonly string[]): string => runIn(netns, command).stdout
const linkNames = (netns: string): readonly string[] => ipJson(netns, 'link').map(({ ifname }) => String(ifname))

describe('a network configuration that nothing can begin with', () => {
  test.each([
    ['{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": 16777216}}', /VNI.*16777216/],
    ['{"Network": "10.244.0.0/16", "Backend": {"Type": "udp"}}', /Backend\.Type.*"udp"/],
    ['{"Network": "10.244.0.0/16", "SubnetLen": 33}', /SubnetLen.*33/],
    ['{"Network": "10.244.0.0/24", "SubnetLen": 24}', /SubnetLen|Network/],
    ['{"Network": "192.0.2.0/24", "SubnetLen": 28}', /\$\.Network.*192\.0\.2\.1/],
    ['{"Network": "10.244.0.0/16"', /not JSON/],
  ])('%s is refused, with the key, and nothing is touched', (conf, says) => {
    const bed = makeOverlay(1, 'bad')
    writeNetConf(bed.store, conf)
    const before = textOf(bed.nodes[0]?.netns ?? '', 'sh', '-c', 'ip link; ip addr; ip route; nft list ruleset')
    const { status, stderr } = call(bed, 0)
    expect([status, stderr]).toEqual([1, expect.stringMatching(says)])
    expect(textOf(bed.nodes[0]?.netns ?? '', 'sh', '-c', 'ip link; ip addr; ip route; nft list ruleset')).toBe(before)
    expect(existsSync(`${bed.folders[0]}/subnet.env`)).toBe(false)
  })
})

describe('one node', () => {
  let bed: OverlayBed
  let node: string
  beforeEach(() => {
    bed = makeOverlay(1, 'one')
    node = bed.nodes[0]?.netns ?? ''
  })

  test('--once programs the node and ends with 0; without a store with 1', () => {
    expect(call(bed, 0, '--once')).toMatchObject({ status: 0, stdout: '' })
    expect(linkNames(node)).toContain('flannel.1')
    expect(subnetEnv({ subnetFile: `${bed.folders[0]}/subnet.env` })['FLANNEL_MTU']).toBe('1450')
    rmSync(`${bed.store}/config.json`)
    expect(call(bed, 0, '--once')).toMatchObject({ status: 1, stderr: expect.stringContaining('config.json') })
  })

  test('the first node of a network makes the folder of leases', () => {
    rmSync(`${bed.store}/subnets`, { recursive: true })
    expect(call(bed, 0, '--once')).toMatchObject({ status: 0 })
  })

  test('--once names the interface that is not there', () => {
    const { status, stderr } = call(bed, 0, '--once', '--iface', 'eth7')
    expect([status, stderr]).toEqual([1, expect.stringContaining('there is no interface "eth7"')])
  })

  test('--dry-run prints the plan, and writes nothing', () => {
    expect(call(bed, 0, '--dry-run')).toMatchObject({ status: 1, stderr: expect.stringContaining('192.0.2.1') })
    call(bed, 0, '--once')
    shellIn(node, 'ip link del flannel.1')
    const { status, stdout } = call(bed, 0, '--dry-run')
    expect([status, stdout]).toEqual([0, expect.stringContaining('ip link add flannel.1')])
    expect(linkNames(node)).not.toContain('flannel.1')
  })

  test('--cleanup takes everything of the overlay and nothing of others, without the store', () => {
    const before = textOf(node, 'sh', '-c', 'ip -br link; ip route; ip -6 route; nft list ruleset')
    const agent = bed.up(0, '--ip-masq', '--ip-blackhole-route')
    expect(call(bed, 0, '--cleanup')).toMatchObject({ status: 1, stderr: expect.stringContaining(`id ${agent.pid}`) })
    agent.end()
    rmSync(bed.store, { recursive: true })
    shellIn(
      node,
      'ip link add other type vxlan id 9 dev eth0 dstport 4789; ip route add 10.7.0.0/16 dev eth0 proto static',
    )
    const { status, stdout } = call(bed, 0, '--cleanup')
    expect([status, stdout]).toEqual([0, expect.stringMatching(/ip link del flannel\.1\n.*rm .*subnet\.env/s)])
    expect(linkNames(node)).toContain('other')
    expect(textOf(node, 'ip', 'route')).toContain('10.7.0.0/16')
    shellIn(node, 'ip link del other; ip route del 10.7.0.0/16')
    expect(textOf(node, 'sh', '-c', 'ip -br link; ip route; ip -6 route; nft list ruleset')).toBe(before)
    expect(call(bed, 0, '--cleanup')).toMatchObject({ status: 0, stdout: expect.stringContaining('nothing') })
  })

  test('with iptables the chains are flannel’s; they come back when they are emptied, and go with --cleanup', () => {
    const agent = bed.up(0, '--ip-masq', '--masquerade-backend', 'iptables', '--resync', '1')
    const rules = (): string => textOf(node, 'sh', '-c', 'iptables-save -t nat; iptables-save -t filter')
    const subnet = untilReady(agent).lease?.subnet
    expect(rules()).toContain(
      `-A FLANNEL-POSTRTG -s ${subnet} -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN`,
    )
    expect(rules()).toContain('-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD')
    const before = rules().match(/^-A.*/gm)
    shellIn(node, 'iptables -t nat -F FLANNEL-POSTRTG')
    expect(waitFor(() => rules().match(/^-A.*/gm)?.join() === before?.join())).toBe(true)
    expect(textOf(node, 'nft', 'list', 'tables')).not.toContain('podwire-overlay')
    agent.end()
    expect(call(bed, 0, '--cleanup', '--masquerade-backend', 'iptables').status).toBe(0)
    expect(rules()).not.toContain('FLANNEL')
  })
})

describe('options of the executable', () => {
  test('--print-config says where each comes from, and keeps secrets', () => {
    const file = `${makeFolder('config')}/agent.json`
    writeFileSync(file, '{"iface": ["eth0"], "etcd-password": "geheim"}')
    const env = { PATH: process.env['PATH'] ?? '', FLANNELD_IP_MASQ: 'true', PODWIRE_RESYNC: '30' }
    const [bed] = [makeOverlay(1, 'options')]
    const { stdout } = runIn(
      bed.nodes[0]?.netns ?? '',
      [PODWIRE, 'agent', '--config', file, '--print-config', '--store', 'etcd'],
      { env },
    )
    expect(stdout).toMatch(/^store +etcd +--store$/m)
    expect(stdout).toMatch(/^iface +eth0 +iface in \/.*agent\.json$/m)
    expect(stdout).toMatch(/^ip-masq +true +FLANNELD_IP_MASQ$/m)
    expect(stdout).toMatch(/^resync +30 +PODWIRE_RESYNC$/m)
    expect(stdout).not.toContain('geheim')
  })

  test('a wrong value is refused with its source and what is allowed', () => {
    const bed = makeOverlay(1, 'options')
    const output = call(bed, 0, '--healthz-port', '70000')
    expect([output.status, output.stderr]).toEqual([
      1,
      expect.stringContaining('--healthz-port: 70000 is not at most 65535'),
    ])
    expect(call(bed, 0, '--no-such')).toMatchObject({ status: 2 })
  })

  test('--version prints the version', () => {
    expect(mustIn(makeOverlay(1, 'version').nodes[0]?.netns ?? '', [PODWIRE, 'agent', '--version'])).toMatch(
      /^\d+\.\d+\.\d+$/,
    )
  })
})
