import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../test/support/cleanup.ts'
import { environmentLayer, fileLayer, flagLayer, unknownVariables, withTwoDashes } from './option-sources.ts'
import { OPTION_TABLE, propertyOf, variableOf } from './option-table.ts'
import { optionsOf, type Setting, settingsOf } from './options.ts'
import { settingRows, settingsJson } from './options-text.ts'

const settle = (flags: object = {}, environment: object = {}, file: object = {}): readonly Setting[] =>
  settingsOf([
    flagLayer(flags as Parameters<typeof flagLayer>[0]),
    environmentLayer('PODWIRE', environment as Parameters<typeof environmentLayer>[1]),
    environmentLayer('FLANNELD', environment as Parameters<typeof environmentLayer>[1]),
    { nameOf: (key) => `${key} in agent.json`, values: file as Readonly<Record<string, unknown>> },
  ])
const settingOf = (settings: readonly Setting[], key: string) => {
  const { value, source } = settings.find(({ spec }) => spec.key === key) ?? {}
  return [value, source]
}

test('optionsOf() gives every option of the schema its default', () => {
  const options = optionsOf(settle())
  expect(options).toMatchObject({ store: 'file', ipMasq: false, iface: [], subnetFile: '/run/flannel/subnet.env' })
  expect(Object.keys(options)).toEqual(OPTION_TABLE.map(({ key }) => propertyOf(key)))
})

test.each([
  [{ 'subnet-file': '/a' }, { PODWIRE_SUBNET_FILE: '/b', FLANNELD_SUBNET_FILE: '/c' }, ['/a', '--subnet-file']],
  [{}, { PODWIRE_SUBNET_FILE: '/b', FLANNELD_SUBNET_FILE: '/c' }, ['/b', 'PODWIRE_SUBNET_FILE']],
  [{}, { PODWIRE_SUBNET_FILE: '', FLANNELD_SUBNET_FILE: '/c' }, ['/c', 'FLANNELD_SUBNET_FILE']],
  [{}, {}, ['/d', 'subnet-file in agent.json']],
])('settingsOf() takes the nearest source: %j %j', (flags, environment, expected) => {
  expect(settingOf(settle(flags, environment, { 'subnet-file': '/d' }), 'subnet-file')).toEqual(expected)
})

test.each([
  [{ 'ip-masq': true }, {}, 'ip-masq', true],
  [{ 'ip-masq': 'false' }, { FLANNELD_IP_MASQ: 'true' }, 'ip-masq', false],
  [{}, { FLANNELD_IP_MASQ: 'T' }, 'ip-masq', true],
  [{ iface: ['eth0', '10.0.0.1'] }, {}, 'iface', ['eth0', '10.0.0.1']],
  [{}, { PODWIRE_IFACE: 'eth0  eth1' }, 'iface', ['eth0', 'eth1']],
  [{}, { FLANNELD_SUBNET_LEASE_RENEW_MARGIN: '30' }, 'subnet-lease-renew-margin', 30],
  [{ 'kube-subnet-mgr': true }, {}, 'store', 'kubernetes'],
  [{ store: 'file' }, { FLANNELD_KUBE_SUBNET_MGR: 'true' }, 'store', 'file'],
  [{}, { FLANNELD_KUBE_SUBNET_MGR: 'true' }, 'store', 'kubernetes'],
  [{ 'iptables-resync': '5' }, {}, 'resync', 5],
  [{ 'iptables-resync': '5', resync: '9' }, {}, 'resync', 9],
])('settingsOf() reads %j %j: %s is %j', (flags, environment, key, value) => {
  expect(settingOf(settle(flags, environment), key)[0]).toEqual(value)
})

test.each([
  [{ 'healthz-port': '65536' }, {}, {}, '--healthz-port: 65536 is not at most 65535'],
  [{}, { PODWIRE_HEALTHZ_PORT: '-1' }, {}, 'PODWIRE_HEALTHZ_PORT: -1 is not at least 0'],
  [{}, { FLANNELD_IP_MASQ: 'yes' }, {}, 'FLANNELD_IP_MASQ: "yes" is neither true nor false'],
  [{ resync: '1.5' }, {}, {}, '--resync: "1.5" is not a whole number'],
  [{ store: 'consul' }, {}, {}, '--store: "consul" is not one of "file", "etcd", "kubernetes"'],
  [{}, {}, { 'ip-masq': 'true' }, 'ip-masq in agent.json: "true" is not of type boolean'],
  [{}, {}, { iface: 'eth0' }, 'iface in agent.json: "eth0" is not of type array'],
  [{ 'subnet-lease-renew-margin': '1440' }, {}, {}, 'is not at most 1439'],
  [{ 'public-ip': '2001:db8::1' }, {}, {}, '--public-ip: "2001:db8::1" is not an IPv4 address'],
  [{ 'public-ipv6': '10.0.0.1' }, {}, {}, '--public-ipv6: "10.0.0.1" is not an IPv6 address'],
  [{ 'healthz-ip': 'localhost' }, {}, {}, '--healthz-ip: "localhost" is not an IP address'],
  [{ 'iface-regex': ['('] }, {}, {}, '--iface-regex: "(" is not a regular expression'],
  [
    { store: 'etcd', 'kube-subnet-mgr': true },
    {},
    {},
    '--kube-subnet-mgr: it says "kubernetes", but --store is "etcd"',
  ],
])('settingsOf() refuses %j %j %j: %s', (flags, environment, file, problem) => {
  expect(() => settle(flags, environment, file)).toThrow(problem)
})

test.each([
  ['{"ifaces": ["eth0"]}', '"ifaces" is no option'],
  ['[]', 'is not a JSON object of options'],
  ['{', 'is not JSON'],
])('fileLayer() refuses %s', (text, problem) => {
  const path = `${makeFolder('options')}/agent.json`
  writeFileSync(path, text)
  expect(() => fileLayer(path)).toThrow(`${path}: ${problem}`)
})

test('unknownVariables() names what begins with PODWIRE_ and is no option', () => {
  const environment = { PODWIRE_IFACES: 'eth0', PODWIRE_IFACE: 'eth0', PODWIRE_CONFIG: '/x', FLANNELD_X: '', HOME: '/' }
  expect(unknownVariables(environment)).toEqual(['PODWIRE_IFACES'])
})

test('a password is never shown', () => {
  const settings = settle({ 'etcd-password': 'geheim', 'etcd-username': 'root' })
  const shown = `${settingsJson(settings)}${settingRows(settings).join('\n')}`
  expect(shown).not.toContain('geheim')
  expect(JSON.parse(settingsJson(settings))).toMatchObject({
    'etcd-password': { value: '********', source: '--etcd-password' },
    'etcd-username': { value: 'root', source: '--etcd-username' },
  })
})

/** flanneld 0.27's flags (main.go), except those of klog. */
const FLANNEL = [
  ...['etcd-endpoints', 'etcd-prefix', 'etcd-keyfile', 'etcd-certfile', 'etcd-cafile', 'etcd-username'],
  ...['etcd-password', 'iface', 'iface-regex', 'iface-can-reach', 'subnet-file', 'public-ip', 'public-ipv6'],
  ...['subnet-lease-renew-margin', 'ip-masq', 'ip-masq-fully-random-disable', 'kube-subnet-mgr', 'kube-api-url'],
  ...['kube-annotation-prefix', 'kubeconfig-file', 'healthz-ip', 'healthz-port', 'iptables-resync'],
  ...['iptables-forward-rules', 'ip-blackhole-route', 'net-config-path', 'set-node-network-unavailable'],
]
test.each(FLANNEL)('--%s of flanneld is an option', (key) => {
  expect(OPTION_TABLE.map((spec) => spec.key)).toContain(key)
})

test('withTwoDashes() takes options as flanneld takes them', () => {
  const argv = [
    'agent',
    '-iface=eth0',
    '-ip-masq',
    '--public-ip',
    '-1',
    '-h',
    '-etcd-endpoints',
    'http://a',
    '-no-such',
  ]
  expect(withTwoDashes(argv)).toEqual([
    ...['agent', '--iface=eth0', '--ip-masq', '--public-ip', '-1', '-h', '--etcd-endpoints', 'http://a', '-no-such'],
  ])
})

test('variableOf() is as flannel names its own', () => {
  expect(variableOf('FLANNELD', 'etcd-endpoints')).toBe('FLANNELD_ETCD_ENDPOINTS')
})
