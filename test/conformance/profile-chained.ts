/** portmap, firewall, bandwidth, tuning. They run behind an attachment that the harness makes itself: a veth pair on a
 *  bridge, as `bridge` would, without calling it. */
import type { Bed, Pod } from './bed.ts'
import { allRulesGone, inNode, inPod, oneRuleGone } from './damage.ts'
import { mustRun } from './process.ts'
import type { Profile } from './profile.ts'
import { type Json, resultIn, type Version } from './version.ts'

const hex = (index: number): string => (index + 16).toString(16).padStart(2, '0')
const batch = (netns: string, lines: readonly string[]): Promise<string> =>
  mustRun(['ip', '-n', netns, '-batch', '-'], lines.join('\n'))

const prepareNode = async (bed: Bed): Promise<void> => {
  const lines = ['link add pwbr0 type bridge', 'addr add 10.77.0.1/24 dev pwbr0', 'link set pwbr0 up']
  await batch(bed.node, lines)
}

/** The pod's interface, and the result that says so. */
const prepare = async (bed: Bed, version: Version, pod: Pod, ifName: string, index: number): Promise<Json> => {
  const [host, mac, hostMac] = [`pw${index}`, `02:00:00:00:01:${hex(index)}`, `02:00:00:00:02:${hex(index)}`]
  const address = `10.77.0.${index + 10}/24`
  const peer = `peer name ${ifName} address ${mac} netns ${pod.netns}`
  await batch(bed.node, [
    `link add ${host} address ${hostMac} type veth ${peer}`,
    `link set ${host} master pwbr0`,
    `link set ${host} up`,
  ])
  await batch(pod.netns, [
    `addr add ${address} dev ${ifName}`,
    `link set ${ifName} up`,
    `route replace default via 10.77.0.1`,
  ])
  return resultIn(version, {
    interfaces: [
      { name: 'pwbr0', mac: '02:00:00:00:00:01' },
      { name: host, mac: hostMac },
      { name: ifName, mac, sandbox: pod.path },
    ],
    ips: [{ address, gateway: '10.77.0.1', interface: 2 }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.77.0.1' }],
    dns: { nameservers: ['10.77.0.1'], search: ['example.org'] },
  })
}

const chained = { kind: 'chained', prepareNode, prepare } as const

const portmap: Profile = {
  ...chained,
  plugin: 'portmap',
  since: '0.1.0',
  conf: (_bed, index) => ({
    snat: true,
    capabilities: { portMappings: true },
    runtimeConfig: {
      portMappings: [
        { hostPort: 8000 + 2 * index, containerPort: 80, protocol: 'tcp' },
        { hostPort: 8001 + 2 * index, containerPort: 53, protocol: 'udp' },
      ],
    },
  }),
  wrong: { runtimeConfig: { portMappings: [{ hostPort: 70_000, containerPort: 80, protocol: 'tcp' }] } },
  drifts: [oneRuleGone, allRulesGone],
}

const firewall: Profile = {
  ...chained,
  plugin: 'firewall',
  since: '0.4.0',
  conf: () => ({}),
  wrong: { ingressPolicy: 'sometimes' },
  drifts: [oneRuleGone, allRulesGone],
}

const RATE = 8_000_000
const bandwidth: Profile = {
  ...chained,
  plugin: 'bandwidth',
  since: '0.3.0',
  conf: () => ({ ingressRate: RATE, ingressBurst: RATE, egressRate: RATE, egressBurst: RATE }),
  wrong: { ingressRate: -1 },
  drifts: [
    inNode('shaper of ingress gone', ({ hostEnd }) => `tc qdisc del dev ${hostEnd} root`),
    inNode('redirection of egress gone', ({ hostEnd }) => `tc qdisc del dev ${hostEnd} ingress`),
    inNode('ifb gone', () => "ip -o link show type ifb | sed 's/^[0-9]*: \\([^:@]*\\).*/\\1/' | xargs -n1 ip link del"),
    inNode('other rate', ({ hostEnd }) => `tc qdisc change dev ${hostEnd} root tbf rate 1mbit burst 10k latency 25ms`),
  ],
}

const tuning: Profile = {
  ...chained,
  plugin: 'tuning',
  since: '0.1.0',
  conf: (bed) => ({
    dataDir: `${bed.folder}/tuning`,
    sysctl: { 'net.ipv4.ip_default_ttl': '77' },
    mtu: 1300,
  }),
  wrong: { sysctl: { 'kernel.hostname': 'mine' } },
  drifts: [
    inPod('sysctl changed', () => 'echo 64 > /proc/sys/net/ipv4/ip_default_ttl'),
    inPod('MTU changed', ({ ifName }) => `ip link set ${ifName} mtu 1400`),
    inPod('interface gone', ({ ifName }) => `ip link del ${ifName}`),
  ],
}

export const CHAINED: readonly Profile[] = [portmap, firewall, bandwidth, tuning]
