/** Configurations that hold every key of every schema, from which the fuzzer starts, and the previous result of the chained
 *  plugins among them. Each is accepted as it stands. */
import type { Json } from '../conformance/version.ts'

export interface Base {
  readonly plugin: string
  /** What it is about, where a plugin has more than one. */
  readonly variant: string
  readonly conf: Json
  /** CNI_IFNAME. */
  readonly ifName: string
  /** This kernel cannot hold it: refused with a typed error. */
  readonly lacking?: true
}

const dns = { nameservers: ['10.1.1.1'], domain: 'here', search: ['a.example'], options: ['ndots:5'] }
const MAC = '02:00:00:00:77:01'
const mac = { mac: MAC }
const route = { dst: '198.51.100.0/24', gw: '10.9.0.1', mtu: 1400, advmss: 1200, priority: 10, table: 254, scope: 0 }
const range = { subnet: '10.9.0.0/24', rangeStart: '10.9.0.10', rangeEnd: '10.9.0.200', gateway: '10.9.0.1' }

const hostLocal = (folder: string): Json => ({
  type: 'host-local',
  dataDir: `${folder}/ipam`,
  resolvConf: `${folder}/resolv.conf`,
  ranges: [[range]],
  routes: [route],
})

const attachment = { containerID: 'other', ifname: 'eth0' }
/** Keys that every plugin takes. */
const common = {
  cniVersion: '1.1.0',
  name: 'net',
  capabilities: { portMappings: true },
  dns,
  'cni.dev/valid-attachments': [attachment],
  'cni.dev/attachments': [attachment],
}

/** The container `fuzz` has `eth0` behind `pwf0`, as the bed makes it; `ifName` is what the result calls it. */
export const prevResultIn = (podPath: string, ifName = 'eth0'): Json => ({
  cniVersion: '1.1.0',
  interfaces: [
    { name: 'pwfbr', mac: '02:00:00:00:00:01' },
    { name: 'pwf0', mac: '02:00:00:00:00:02', mtu: 1500 },
    { name: ifName, mac: '02:00:00:00:00:03', mtu: 1500, sandbox: podPath, socketPath: '/x', pciID: '0000:00:1f.6' },
  ],
  ips: [{ address: '10.8.0.2/24', gateway: '10.8.0.1', interface: 2 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.8.0.1', mtu: 1400, advmss: 1000, priority: 1, table: 254, scope: 0 }],
  dns,
})

const bridge = (folder: string): Json => ({
  bridge: 'pwfz0',
  isGateway: true,
  isDefaultGateway: false,
  forceAddress: false,
  ipMasq: true,
  ipMasqBackend: 'nftables',
  mtu: 1400,
  hairpinMode: true,
  promiscMode: false,
  vlan: 0,
  preserveDefaultVlan: false,
  macspoofchk: true,
  enabledad: false,
  disableContainerInterface: false,
  portIsolation: true,
  runtimeConfig: mac,
  args: { cni: mac },
  ipam: hostLocal(folder),
})

/** Of flannel and vxlan: what the delegate gets besides. */
const delegating = (folder: string, type: string): Json => ({
  dataDir: `${folder}/${type}`,
  delegate: { type: 'bridge', bridge: 'pwfz2', isGateway: true },
  ipam: { type: 'host-local', dataDir: `${folder}/ipam`, routes: [route] },
})

const vxlan = (folder: string): Json => ({
  ...delegating(folder, 'vxlan'),
  netConf: {
    Network: '10.9.0.0/16',
    SubnetMin: '10.9.0.0',
    SubnetMax: '10.9.0.0',
    Backend: { Type: 'vxlan', VNI: 77 },
  },
  store: {
    ...{
      type: 'file',
      dir: `${folder}/overlay`,
      etcdEndpoints: 'http://127.0.0.1:1',
      etcdPrefix: '/x',
      etcdKeyfile: '/k',
    },
    ...{
      etcdCertfile: '/c',
      etcdCafile: '/a',
      etcdUsername: 'me',
      etcdPassword: 'it',
      kubeApiUrl: 'https://127.0.0.1:1',
    },
    ...{ kubeconfigFile: '/k', kubeAnnotationPrefix: 'here', kubeNodeName: 'node', netConfigPath: '/n' },
  },
  iface: ['pwfbr'],
  ifaceRegex: ['^10[.]8'],
  ifaceCanReach: '10.8.0.2',
  publicIP: '10.8.0.1',
  publicIPv6: '2001:db8::1',
  ipMasq: true,
  masqueradeBackend: 'nftables',
  iptablesForwardRules: true,
})

const portMapping = { hostPort: 8080, containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' }
const portmap = { snat: true, masqAll: false, runtimeConfig: { portMappings: [portMapping] } }
const rates = { ingressRate: 8_000_000, ingressBurst: 8_000_000, egressRate: 8_000_000, egressBurst: 8_000_000 }
const tuned = {
  sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1' },
  mac: MAC,
  mtu: 1300,
  promisc: true,
  allmulti: true,
  txQLen: 500,
}
const ips = { ips: ['10.9.0.77/24'] }

/** @param folder where plugins may write. @param podPath CNI_NETNS */
export const basesIn = (folder: string, podPath: string): readonly Base[] => {
  const prevResult = prevResultIn(podPath)
  const base = (plugin: string, keys: Json, variant = '', ifName = 'net1'): Base => ({
    plugin,
    variant,
    conf: { ...common, type: plugin, ...keys },
    ifName,
  })
  const chained = (plugin: string, keys: Json, variant = ''): Base =>
    base(plugin, { ...keys, prevResult }, variant, 'eth0')
  const vlanTrunk = [{ minID: 10, maxID: 20 }, { id: 30 }]
  return [
    base('loopback', {}, '', 'lo'),
    base('bridge', bridge(folder)),
    base('bridge', { ...bridge(folder), ipMasqBackend: 'iptables' }, 'iptables'),
    { ...base('bridge', { bridge: 'pwfz1', vlan: 5, vlanTrunk, ipam: {} }, 'vlan'), lacking: true },
    base('ptp', { ipMasq: true, ipMasqBackend: 'nftables', mtu: 1400, ipam: hostLocal(folder) }),
    base('flannel', { ...delegating(folder, 'flannel'), subnetFile: `${folder}/subnet.env` }),
    base('vxlan', vxlan(folder)),
    chained('portmap', {
      ...portmap,
      backend: 'nftables',
      conditionsV4: ['ip saddr != 10.7.0.0/16'],
      conditionsV6: [],
    }),
    chained(
      'portmap',
      { ...portmap, backend: 'iptables', markMasqBit: 13, conditionsV4: ['-s', '10.7.0.0/16'] },
      'iptables',
    ),
    chained('portmap', { ...portmap, backend: 'iptables', externalSetMarkChain: 'KUBE-MARK-MASQ' }, 'external chain'),
    chained('firewall', { backend: 'nftables', ingressPolicy: 'same-bridge', firewalldZone: 'trusted' }),
    chained(
      'firewall',
      { backend: 'iptables', iptablesAdminChainName: 'MY-ADMIN', ingressPolicy: 'isolated' },
      'iptables',
    ),
    chained('bandwidth', { ...rates, runtimeConfig: { bandwidth: rates } }),
    chained('tuning', { ...tuned, dataDir: `${folder}/tuning`, runtimeConfig: mac, args: { cni: tuned } }),
    base('host-local', {
      ipam: hostLocal(folder),
      runtimeConfig: {
        ipRanges: [[{ subnet: 'fd06::/64', rangeStart: 'fd06::10', rangeEnd: 'fd06::99', gateway: 'fd06::9' }]],
      },
    }),
    base('host-local', { ipam: { ...hostLocal(folder), ...range, ranges: [] }, args: { cni: ips } }, 'single range'),
    base('host-local', { ipam: hostLocal(folder), runtimeConfig: ips }, 'requested'),
    base('static', {
      ipam: { type: 'static', addresses: [{ address: '10.9.0.5/24', gateway: '10.9.0.1' }], routes: [route], dns },
      runtimeConfig: ips,
      args: { cni: ips },
    }),
  ]
}
