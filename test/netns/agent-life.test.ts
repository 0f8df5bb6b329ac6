/** The agent's coming and going: what flanneld left, what --cleanup takes, what it refuses to begin with, what it does when
 *  its lease, its underlay or its configuration changes, and what it remembers. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { AgentStatus } from '../../agent/status.ts'
import { type Agent, untilReady } from '../support/agent.ts'
import { makeFolder } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { ipJson, mustIn, runIn, shellIn } from '../support/netns.ts'
import { startPing } from '../support/pinger.ts'
import { ask, listen, ping, waitFor } from '../support/probe.ts'
import { CONF, makeOverlay, makePod, type OverlayBed, PODWIRE, subnetEnv, writeNetConf } from './agent.bed.ts'

const statusOf = (agent: Agent): AgentStatus => untilReady(agent)
const textOf = (netns: string, ...command: readonly string[]): string => runIn(netns, command).stdout
const linkNames = (netns: string): readonly string[] => ipJson(netns, 'link').map(({ ifname }) => String(ifname))

/** One call of `podwire agent` that ends by itself, with the files of node `n`'s agent. */
const call = (bed: OverlayBed, n: number, ...args: readonly string[]): Output => {
  const folder = bed.folders[n] ?? ''
  const paths = [
    '--run-dir',
    `${folder}/run`,
    '--state-dir',
    `${folder}/state`,
    '--subnet-file',
    `${folder}/subnet.env`,
  ]
  return runIn(bed.nodes[n]?.netns ?? '', [PODWIRE, 'agent', '--store-dir', bed.store, ...paths, ...args])
}

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

  test('SIGTERM ends it at once, also while the store does not answer', () => {
    const agent = bed.start(0, '--store', 'etcd', '--etcd-endpoints', 'http://192.0.2.250:2379')
    expect(waitFor(() => agent.status() !== undefined)).toBe(true)
    const started = Date.now()
    agent.end('SIGTERM')
    expect(Date.now() - started).toBeLessThan(5000)
    expect(agent.log()).toContain('the agent stops')
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
    const subnet = statusOf(agent).lease?.subnet
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

  test('a lease that another node has taken is given up: a new subnet, and nothing of the old one is left', () => {
    const agent = bed.up(0, '--ip-masq')
    const { lease } = statusOf(agent)
    const file = `${bed.store}/subnets/${lease?.key}.json`
    const stolen = { ...JSON.parse(readFileSync(file, 'utf8')), PublicIP: '192.0.2.77' }
    stolen.BackendData = { VNI: 1, VtepMAC: '02:00:00:00:00:77' }
    writeFileSync(`${file}.tmp`, JSON.stringify(stolen))
    renameSync(`${file}.tmp`, file)
    untilReady(agent, (status) => status.lease?.key !== lease?.key && status.peers.length === 1)
    const { lease: now } = statusOf(agent)
    expect(waitFor(() => subnetEnv(agent)['FLANNEL_SUBNET'] === now?.subnet?.replace('0/24', '1/24'))).toBe(true)
    const own = String(lease?.subnet).replace('/24', '/32')
    expect(textOf(node, 'ip', 'addr', 'show', 'dev', 'flannel.1')).not.toContain(own)
    expect(textOf(node, 'nft', 'list', 'ruleset')).not.toContain(`ip saddr ${lease?.subnet} `)
    expect(textOf(node, 'ip', 'route')).toContain(`${lease?.subnet} via`)
    expect(agent.log()).toContain('the lease is lost')
  })

  test('another MTU of the underlay, and another address, are followed', () => {
    const agent = bed.up(0)
    shellIn(node, 'ip link set eth0 mtu 1400')
    expect(waitFor(() => subnetEnv(agent)['FLANNEL_MTU'] === '1350')).toBe(true)
    expect(ipJson(node, 'link', 'show', 'flannel.1')[0]).toMatchObject({ mtu: 1350 })
    shellIn(node, 'ip addr del 192.0.2.1/24 dev eth0; ip addr add 192.0.2.99/24 dev eth0')
    untilReady(agent, (status) => status.lease?.publicIP === '192.0.2.99')
    expect(textOf(node, 'ip', '-d', 'link', 'show', 'flannel.1')).toContain('local 192.0.2.99')
  })

  test('another VNI is another device, and the old one goes, also when the change came while no agent ran', () => {
    const agent = bed.up(0, '--resync', '1')
    writeNetConf(bed.store, { ...CONF, Backend: { Type: 'vxlan', VNI: 7 } })
    expect(waitFor(() => linkNames(node).includes('flannel.7') && !linkNames(node).includes('flannel.1'))).toBe(true)
    agent.end()
    writeNetConf(bed.store, { ...CONF, Backend: { Type: 'host-gw' } })
    statusOf(bed.up(0))
    expect(linkNames(node).filter((name) => name.startsWith('flannel'))).toEqual([])
  })

  test('a node that boots while its store is away works by what it remembers', () => {
    const agent = bed.up(0)
    writeFileSync(
      `${bed.store}/subnets/10.244.99.0-24.json`,
      '{"PublicIP":"192.0.2.98","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:98"}}',
    )
    untilReady(agent, ({ peers }) => peers.length === 1)
    const env = readFileSync(agent.subnetFile, 'utf8')
    agent.end()
    shellIn(node, 'ip link del flannel.1; nft flush ruleset')
    rmSync(agent.subnetFile)
    renameSync(bed.store, `${bed.store}.away`)
    const again = bed.start(0)
    expect(waitFor(() => existsSync(agent.subnetFile))).toBe(true)
    expect(readFileSync(agent.subnetFile, 'utf8')).toBe(env)
    expect(textOf(node, 'ip', 'route')).toContain('10.244.99.0/24 via 10.244.99.0 dev flannel.1')
    expect(again.status()).toMatchObject({
      isReady: false,
      missing: expect.arrayContaining([expect.stringContaining('leases')]),
    })
    renameSync(`${bed.store}.away`, bed.store)
    expect(waitFor(() => again.status()?.isReady === true, 40_000)).toBe(true)
  })

  test('/healthz, /readyz and /metrics are on the loopback port alone', () => {
    bed.up(0, '--healthz-port', '10299')
    const get = (host: string, path: string): string =>
      textOf(node, 'curl', '-s', '-m', '2', `http://${host}:10299${path}`)
    expect([get('127.0.0.1', '/healthz'), get('127.0.0.1', '/readyz')]).toEqual(['ok\n', 'ok\n'])
    expect(get('127.0.0.1', '/metrics')).toMatch(/^podwire_lease_held 1$/m)
    expect(get('127.0.0.1', '/metrics')).toMatch(/^podwire_reconcile_duration_seconds_count\{kind="resync"\} [1-9]/m)
    expect(get('192.0.2.1', '/healthz')).toBe('')
  })

  test('readiness says what is missing', () => {
    rmSync(`${bed.store}/config.json`)
    bed.start(0, '--healthz-port', '10299')
    const code = (): string =>
      textOf(node, 'curl', '-s', '-m', '2', '-w', '%{http_code}', 'http://127.0.0.1:10299/readyz')
    expect(waitFor(() => code().endsWith('503'))).toBe(true)
    expect(code()).toContain('no network configuration')
  })
})

test('both families: pods reach each other over IPv6, each device with its own MTU', () => {
  const conf = { ...CONF, EnableIPv6: true, IPv6Network: 'fd00:244::/48' }
  const bed = makeOverlay(2, 'dual', conf)
  const agents = [bed.up(0), bed.up(1)]
  untilReady(agents[0] as Agent, ({ peers }) => peers.length === 1)
  const [node = '', other = ''] = bed.nodes.map(({ netns }) => netns)
  const target = String(statusOf(agents[1] as Agent).lease?.ipv6Subnet).split('/')[0] ?? ''
  expect(waitFor(() => runIn(node, ['ping', '-6', '-c', '1', '-W', '1', target]).status === 0)).toBe(true)
  const mtu = (name: string): unknown => ipJson(other, 'link', 'show', name)[0]?.['mtu']
  expect([mtu('flannel.1'), mtu('flannel-v6.1')]).toEqual([1450, 1430])
  expect(subnetEnv(agents[0] as Agent)).toMatchObject({ FLANNEL_MTU: '1430', FLANNEL_IPV6_NETWORK: 'fd00:244::/48' })
})

describe('a node that flanneld ran on', () => {
  let bed: OverlayBed
  const MACS = ['12:34:56:00:00:01', '12:34:56:00:00:02'] as const

  /** What flanneld leaves (pkg/backend/vxlan device.go, vxlan_network.go): the device with a random MAC, the base address of
   *  the subnet as /32, and for the peer a permanent neighbour, a forwarding entry, an onlink route. */
  const leave = (n: number, peer: number, stale: boolean): void => {
    const node = bed.nodes[n]?.netns ?? ''
    shellIn(
      node,
      `ip link add flannel.1 address ${MACS[n]} mtu 1450 type vxlan id 1 local 192.0.2.${n + 1} dev eth0 dstport 8472 nolearning
       ip link set flannel.1 up; ip addr add 10.244.${n + 10}.0/32 dev flannel.1
       sysctl -qw net.ipv4.ip_forward=1
       ip neigh replace 10.244.${peer + 10}.0 lladdr ${MACS[peer]} dev flannel.1 nud permanent
       bridge fdb replace ${MACS[peer]} dev flannel.1 dst 192.0.2.${peer + 1} self permanent
       ip route replace 10.244.${peer + 10}.0/24 via 10.244.${peer + 10}.0 dev flannel.1 onlink`,
    )
    if (!stale) return
    shellIn(
      node,
      `ip neigh replace 10.244.77.0 lladdr 12:34:56:00:00:77 dev flannel.1 nud permanent
       bridge fdb replace 12:34:56:00:00:77 dev flannel.1 dst 192.0.2.77 self permanent
       ip route replace 10.244.77.0/24 via 10.244.77.0 dev flannel.1 onlink`,
    )
  }

  beforeAll(() => {
    bed = makeOverlay(2, 'was')
    for (const [n, mac] of MACS.entries()) {
      leave(n, 1 - n, n === 0)
      const value = { PublicIP: `192.0.2.${n + 1}`, BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: mac } }
      writeFileSync(`${bed.store}/subnets/10.244.${n + 10}.0-24.json`, JSON.stringify(value))
      writeFileSync(
        `${bed.folders[n]}/subnet.env`,
        `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.${n + 10}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n`,
      )
    }
  })

  test('keeps its lease, device, MAC and every packet; what flanneld left of a peer that is gone goes', () => {
    const node = bed.nodes[0]?.netns ?? ''
    const pods = bed.nodes.map(({ netns }, n) =>
      makePod(netns, { subnetFile: `${bed.folders[n]}/subnet.env` }, `was-pod${n}`),
    )
    const index = ipJson(node, 'link', 'show', 'flannel.1')[0]?.['ifindex']
    const env = readFileSync(`${bed.folders[0]}/subnet.env`, 'utf8')
    const end = startPing(pods[0]?.netns ?? '', pods[1]?.ip ?? '')
    const agent = bed.up(0, '--ip-masq')
    expect(statusOf(agent).lease).toMatchObject({ key: '10.244.10.0-24', publicIP: '192.0.2.1' })
    expect(ipJson(node, 'link', 'show', 'flannel.1')[0]).toMatchObject({ ifindex: index, address: MACS[0] })
    expect(textOf(node, 'sh', '-c', 'ip route; ip neigh; bridge fdb')).not.toMatch(/10\.244\.77\.|192\.0\.2\.77/)
    expect(textOf(node, 'ip', 'route')).toContain('10.244.11.0/24 via 10.244.11.0 dev flannel.1')
    expect(readFileSync(`${bed.folders[0]}/subnet.env`, 'utf8')).toBe(env)
    expect(end()).toMatchObject({ lost: 0 })
    listen(pods[1]?.netns ?? '', 'pod2', 8080)
    expect(ask({ from: pods[0]?.netns ?? '', to: pods[1]?.ip ?? '', port: 8080 })).toBe(`pod2 ${pods[0]?.ip}`)
    expect(ping(pods[1]?.netns ?? '', pods[0]?.ip ?? '')).toBe(true)
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
