/** The agent's coming and going: what flanneld left, what it does when its lease, its underlay or its configuration
 *  changes, and what it remembers. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readMemory } from '../../agent/memory.ts'
import type { AgentStatus } from '../../agent/status.ts'
import { type Agent, untilReady } from '../support/agent.ts'
import { ipJson, runIn, shellIn } from '../support/netns.ts'
import { startPing } from '../support/pinger.ts'
import { ask, listen, ping, waitFor } from '../support/probe.ts'
import { CONF, makeOverlay, makePod, type OverlayBed, subnetEnv, writeNetConf } from './agent.bed.ts'

const statusOf = (agent: Agent): AgentStatus => untilReady(agent)
const textOf = (netns: string, ...command: readonly string[]): string => runIn(netns, command).stdout
const linkNames = (netns: string): readonly string[] => ipJson(netns, 'link').map(({ ifname }) => String(ifname))

describe('one node', () => {
  let bed: OverlayBed
  let node: string
  beforeEach(() => {
    bed = makeOverlay(1, 'one')
    node = bed.nodes[0]?.netns ?? ''
  })

  test('SIGTERM ends it at once, also while the store does not answer', () => {
    const agent = bed.start(0, '--store', 'etcd', '--etcd-endpoints', 'http://192.0.2.250:2379')
    expect(waitFor(() => agent.status() !== undefined)).toBe(true)
    const started = Date.now()
    agent.end('SIGTERM')
    expect(Date.now() - started).toBeLessThan(5000)
    expect(agent.log()).toContain('the agent stops')
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
    const { lease } = statusOf(agent)
    shellIn(node, 'ip addr del 192.0.2.1/24 dev eth0; ip addr add 192.0.2.99/24 dev eth0')
    untilReady(agent, (status) => status.lease?.publicIP === '192.0.2.99')
    expect(statusOf(agent).lease?.key).toBe(lease?.key)
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

  test.each([
    ['vxlan', { Type: 'vxlan' }, { VNI: 1, VtepMAC: '02:00:00:00:00:98' }],
    ['host-gw', { Type: 'host-gw' }, undefined],
  ])('another network of %s that came while no agent ran: of the old one nothing is left', (_, Backend, data) => {
    writeNetConf(bed.store, { ...CONF, Backend })
    writeFileSync(
      `${bed.store}/subnets/10.244.99.0-24.json`,
      JSON.stringify({ PublicIP: '192.0.2.98', BackendType: Backend.Type, BackendData: data }),
    )
    const agent = bed.up(0, '--ip-blackhole-route')
    untilReady(agent, ({ peers }) => peers.length === 1)
    const held = (): string => textOf(node, 'sh', '-c', 'ip addr; ip route; ip neigh')
    expect(held()).toContain('10.244.99.0/24 via')
    agent.end()
    writeNetConf(bed.store, { Network: '10.9.0.0/16', Backend })
    statusOf(bed.up(0, '--ip-blackhole-route'))
    expect(held()).not.toContain('10.244.')
    expect(held()).toContain('blackhole 10.9.')
  })

  test('the term of a lease that was renewed is remembered', () => {
    const agent = bed.up(0)
    const file = `${bed.store}/subnets/${statusOf(agent).lease?.key}.json`
    const stored = (): { readonly Expiration: string } => JSON.parse(readFileSync(file, 'utf8'))
    const isRemembered = (): boolean =>
      readMemory(`${agent.folder}/state`)?.own.expires === Date.parse(stored().Expiration)
    expect(waitFor(isRemembered)).toBe(true)
    const first = stored().Expiration
    writeFileSync(`${file}.tmp`, JSON.stringify({ ...stored(), BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:55' } }))
    renameSync(`${file}.tmp`, file)
    expect(waitFor(() => stored().Expiration !== first)).toBe(true)
    expect(waitFor(isRemembered)).toBe(true)
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

test.each([
  ['IPv4', '192.0.2.1/24', '169.254.7.7/16', {}, ''],
  [
    'IPv6',
    '2001:db8::1/64',
    'fe80::77/64',
    { EnableIPv4: false, EnableIPv6: true, IPv6Network: 'fd00:244::/48' },
    'nodad',
  ],
])("an %s address that was away for a while is the node's again", (_, address, other, conf, flag) => {
  const bed = makeOverlay(1, 'blip', { ...CONF, ...conf })
  const node = bed.nodes[0]?.netns ?? ''
  if (address.includes(':')) shellIn(node, 'ip -4 addr flush dev eth0')
  const agent = bed.up(0)
  const [ip = ''] = address.split('/')
  const isPublic = (wanted: string) => (): boolean => {
    const { publicIP, publicIPv6 } = statusOf(agent).lease ?? {}
    return publicIP === wanted || publicIPv6 === wanted
  }
  expect(waitFor(isPublic(ip))).toBe(true)
  const key = statusOf(agent).lease?.key
  shellIn(node, `ip addr add ${other} dev eth0 ${flag}; ip addr del ${address} dev eth0`)
  expect(waitFor(isPublic(other.split('/')[0] ?? ''))).toBe(true)
  shellIn(node, `ip addr add ${address} dev eth0 ${flag}`)
  expect(waitFor(isPublic(ip))).toBe(true)
  expect(statusOf(agent).lease?.key).toBe(key)
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
