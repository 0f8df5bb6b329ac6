/** Every schema of `conf/schemas` through the code generated from it: each key with a value it takes and values it does not. */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import type { JsonObject } from '../cni/plugin.ts'
import { foldBy, requireSchema, type Schema } from '../cni/schema.ts'
import { compileSchema, schemaTypes } from './schemas.ts'

const folder = new URL('../conf/schemas', import.meta.url).pathname
/** The options of the agent are no plugin's configuration: agent/options.test.ts. */
const types = schemaTypes(folder).filter((type) => type !== 'agent')
const schemas = new Map<string, Schema>()

beforeAll(async () => {
  for (const type of types) {
    const { code } = await compileSchema(folder, type)
    const module = (await import(`data:text/javascript,${encodeURIComponent(code)}`)) as { readonly schema: Schema }
    schemas.set(type, module.schema)
  }
})

const schemaOf = (type: string): Schema => {
  const schema = schemas.get(type)
  if (schema === undefined) throw new Error(`no schema ${type}`)
  return schema
}

const base = { name: 'net', cniVersion: '1.1.0' }
const hold = (type: string, keys: object): void => {
  const schema = schemaOf(type)
  requireSchema(schema, foldBy(schema, { ...base, ...minimum(type), ...keys } as JsonObject))
}
const minimum = (type: string): object => (type === 'host-local' || type === 'static' ? { ipam: { type } } : {})

/** An object with `value` at `path`, which is written as in errors. */
const at = (path: string, value: unknown): object => {
  const segments = path.match(/[^.[\]]+/g) ?? []
  return segments.reduceRight<unknown>(
    (inner, segment) => (/^\d+$/.test(segment) ? [inner] : { [segment]: inner }),
    value,
  ) as object
}

/** By type and path: values that hold, then values that do not, then what the refusal says. */
type Row = readonly [path: string, good: readonly unknown[], bad: readonly unknown[], says: string]
const boolean = (path: string): Row => [path, [true, false, null], ['true', 1, {}], 'is not of type boolean']
const string = (path: string): Row => [path, ['', 'x', null], [1, true, []], 'is not of type string']
const strings = (path: string): Row => [path, [[], ['a'], null], ['a', {}], 'is not of type array']
const uint = (path: string, most: number): readonly Row[] => [
  [path, [0, 1, most, null], [-1], 'is not at least 0'],
  [path, [], [most + 1], `is not at most ${most}`],
  [path, [], [1.5, '1'], 'is not of type integer'],
]

const U32 = 2 ** 32 - 1
const route = (path: string): readonly Row[] => [
  string(`${path}[0].dst`).map((part, i) => (i === 1 ? ['0.0.0.0/0'] : part)) as unknown as Row,
  [`${path}[0].gw`, [], [{ a: 1 }], '$'],
]
const dns = (path: string): readonly Row[] => [
  strings(`${path}.nameservers`),
  string(`${path}.domain`),
  strings(`${path}.search`),
  strings(`${path}.options`),
]
const EVERY: readonly Row[] = [
  ['name', ['a', 'a.b_c-d', 'x'.repeat(200)], ['../x', '', 'a b', 'é', 'x'.repeat(201)], 'is not a letter or digit'],
  ['type', ['bridge', 'a b'], ['', 'a/b', 'a\\b', 'a\0b'], 'is not the name of an executable'],
  ['capabilities.mac', [true], ['yes'], 'is not of type boolean'],
  ['args', [{}, null], ['x', []], 'is not of type object'],
  ['prevResult', [{}, { ips: 1 }, null], ['x', []], 'is not of type object'],
]
const settings = (path: string): readonly Row[] => [
  [`${path}sysctl`, [{ 'net.core.somaxconn': '500' }, {}, null], [{ a: 1 }], 'is not of type string'],
  string(`${path}mac`),
  ...uint(`${path}mtu`, U32),
  boolean(`${path}promisc`),
  boolean(`${path}allmulti`),
  ...uint(`${path}txQLen`, U32),
]
const rates = (path: string): readonly Row[] => [
  [`${path}ingressRate`, [0, 1e9, 2 ** 53], [-1], 'is not at least 0'],
  [`${path}egressRate`, [0, 1e9], ['1M', 1.5], 'is not of type integer'],
  ...uint(`${path}ingressBurst`, 34359738359),
  ...uint(`${path}egressBurst`, 34359738359),
]
const masquerade: readonly Row[] = [
  boolean('ipMasq'),
  ['ipMasqBackend', ['iptables', 'nftables', null], ['nft', '', 1], 'is not one of "iptables", "nftables"'],
  ...uint('mtu', 65535),
]

const path = (key: string): Row => [key, ['', '/a/b', null], ['a', './a', '/a\0'], 'is not an absolute path']
const delegation: readonly Row[] = [
  ['delegate', [{}, { bridge: 7 }, null], ['bridge', []], 'is not of type object'],
  ['delegate.type', ['ptp'], ['', 'a/b'], 'is not the name of an executable'],
  ['ipam.routes', [[], null], [{}], 'is not of type array'],
  path('dataDir'),
]

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  loopback: [],
  bridge: [
    [
      'bridge',
      ['cni0', 'x'.repeat(15)],
      ['', '.', '..', 'a/b', 'a b', 'a%d', 'x'.repeat(16)],
      'is not an interface name',
    ],
    ...['isGateway', 'isDefaultGateway', 'forceAddress', 'hairpinMode', 'promiscMode'].map(boolean),
    ...['preserveDefaultVlan', 'macspoofchk', 'enabledad', 'disableContainerInterface', 'portIsolation'].map(boolean),
    ...masquerade,
    ...uint('vlan', 4094),
    ['vlanTrunk', [[], [{ minID: 1, maxID: 4094 }], [{ id: 7 }], null], [{}], 'is not of type array'],
    ['vlanTrunk[0].id', [1, 4094], [0, -1], 'is not at least 1'],
    ['vlanTrunk[0].id', [], [4095], 'is not at most 4094'],
    string('runtimeConfig.mac'),
    string('args.cni.mac'),
    ['ipam.type', ['host-local', ''], ['a/b', '../host-local'], 'is not the name of an executable in CNI_PATH'],
    ...dns('dns'),
  ],
  ptp: [...masquerade, ...dns('dns')],
  flannel: [...delegation, path('subnetFile')],
  vxlan: [
    ...delegation,
    ['netConf', [{}, { Network: 1 }, null], ['x', []], 'is not of type object'],
    ['store.type', ['file', 'etcd', 'kubernetes', null], ['', 'consul'], 'is not one of "file", "etcd", "kubernetes"'],
    ...['dir', 'etcdKeyfile', 'etcdCertfile', 'etcdCafile'].map((key) => path(`store.${key}`)),
    ...['kubeconfigFile', 'netConfigPath'].map((key) => path(`store.${key}`)),
    ...['etcdEndpoints', 'etcdPrefix', 'etcdUsername', 'etcdPassword'].map((key) => string(`store.${key}`)),
    ...['kubeApiUrl', 'kubeAnnotationPrefix', 'kubeNodeName'].map((key) => string(`store.${key}`)),
    ...[...['iface', 'ifaceRegex'].map(strings), ...['ifaceCanReach', 'publicIP', 'publicIPv6'].map(string)],
    ...['ipMasq', 'iptablesForwardRules'].map(boolean),
    ['masqueradeBackend', ['iptables', 'nftables', null], ['nft', ''], 'is not one of "iptables", "nftables"'],
  ],
  portmap: [
    ['backend', ['iptables', 'nftables', null], ['', 'ipvs'], 'is not one of "iptables", "nftables"'],
    boolean('snat'),
    boolean('masqAll'),
    ...uint('markMasqBit', 31),
    [
      'externalSetMarkChain',
      ['', 'KUBE-MARK-MASQ'],
      ['-x', 'a b', '../x', 'x'.repeat(29)],
      'is not an iptables chain name',
    ],
    strings('conditionsV4'),
    strings('conditionsV6'),
    [
      'runtimeConfig.portMappings',
      [[], [{ hostPort: 1, containerPort: 65535, protocol: 'TCP', hostIP: '' }], null],
      [{}],
      'is not of type array',
    ],
    ['runtimeConfig.portMappings[0].hostPort', [], [0, -1], 'missing'],
  ],
  firewall: [
    [
      'backend',
      ['', 'iptables', 'firewalld', 'nftables'],
      ['ufw'],
      'is not one of "", "iptables", "firewalld", "nftables"',
    ],
    ['iptablesAdminChainName', ['', 'CNI-ADMIN'], ['-x', '!x', 'a b', 'x'.repeat(29)], 'is not an iptables chain name'],
    ['firewalldZone', ['', 'trusted'], ['a b', 'a;b'], 'is not a firewalld zone'],
    [
      'ingressPolicy',
      ['', 'open', 'same-bridge', 'isolated'],
      ['closed'],
      'is not one of "", "open", "same-bridge", "isolated"',
    ],
  ],
  bandwidth: [...rates(''), ...rates('runtimeConfig.bandwidth.')],
  tuning: [string('dataDir'), ...settings(''), ...settings('args.cni.'), string('runtimeConfig.mac')],
  'host-local': [
    ...['subnet', 'rangeStart', 'rangeEnd', 'gateway', 'dataDir', 'resolvConf'].map((key) => string(`ipam.${key}`)),
    ['ipam.ranges', [[], [[{ subnet: '10.0.0.0/8' }]], null], [{}], 'is not of type array'],
    ['ipam.ranges[0]', [[]], [{}], 'is not of type array'],
    ['ipam.ranges[0][0]', [], [{}], 'missing'],
    ['ipam.ranges[0][0].subnet', ['10.0.0.0/8'], [8], 'is not of type string'],
    ...route('ipam.routes'),
    ['runtimeConfig.ipRanges', [[], [[{ subnet: '10.0.0.0/8' }]]], ['x'], 'is not of type array'],
    strings('runtimeConfig.ips'),
    strings('args.cni.ips'),
  ],
  static: [
    ['ipam.addresses', [[], [{ address: '10.0.0.1/8', gateway: '' }], null], [{}], 'is not of type array'],
    ['ipam.addresses[0]', [], [{}, { gateway: '10.0.0.1' }], 'missing'],
    ...route('ipam.routes'),
    ...dns('ipam.dns'),
    strings('runtimeConfig.ips'),
    strings('args.cni.ips'),
  ],
}

test('every schema has its rows', () => expect(types).toEqual(Object.keys(ROWS).sort()))

const rowsOf = (type: string): readonly Row[] => [...EVERY, ...(ROWS[type] ?? [])]
const good = types.flatMap((type) =>
  rowsOf(type).flatMap(([path, values]) => values.map((value) => [type, path, value] as const)),
)
const bad = types.flatMap((type) =>
  rowsOf(type).flatMap(([path, , values, says]) => values.map((value) => [type, path, value, says] as const)),
)

test.each(good)('%s takes %s = %j', (type, path, value) => expect(() => hold(type, at(path, value))).not.toThrow())

test.each(bad)('%s refuses %s = %j', (type, path, value, says) => {
  const act = (): void => hold(type, at(path, value))
  expect(act).toThrow(DecodeError)
  expect(act).toThrow(expect.objectContaining({ path: expect.stringContaining(`$.${path.split(/[[.]/)[0]}`) }))
  expect(act).toThrow(says)
})

test.each(types)('%s tolerates unknown keys', (type) =>
  expect(() => hold(type, { 'some.other/key': { a: [null] }, keyA: ['more'] })).not.toThrow(),
)

test.each(types)('%s needs a name', (type) => {
  const schema = schemaOf(type)
  expect(() => requireSchema(schema, foldBy(schema, { cniVersion: '1.1.0', ...minimum(type) } as JsonObject))).toThrow(
    '$.name: missing, but required',
  )
})

test.each(types)('%s knows the keys of GC, and its elements', (type) => {
  const attachments = [{ containerID: 'c', ifname: 'eth0' }]
  expect(() =>
    hold(type, { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments }),
  ).not.toThrow()
  expect(() => hold(type, { 'cni.dev/valid-attachments': [{ containerID: 1, ifname: 'a' }] })).toThrow(
    '$["cni.dev/valid-attachments"][0].containerID: 1 is not of type string',
  )
  expect(() => hold(type, { 'cni.dev/attachments': [{ containerID: 'c' }] })).toThrow(
    '$["cni.dev/attachments"][0].ifname: missing, but required',
  )
})

const mapping = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }
test.each([
  [{ HostPort: 1, ContainerPort: 2, Protocol: 'udp', HostIP: '' }, undefined],
  [{ ...mapping, hostPort: 0 }, '$.runtimeConfig.portMappings[0].hostPort: 0 is not at least 1'],
  [{ ...mapping, containerPort: 65536 }, '$.runtimeConfig.portMappings[0].containerPort: 65536 is not at most 65535'],
  [{ ...mapping, protocol: 'icmp' }, '$.runtimeConfig.portMappings[0].protocol: "icmp" is not "tcp", "udp" or "sctp"'],
  [{ hostPort: 1, containerPort: 2 }, '$.runtimeConfig.portMappings[0].protocol: missing, but required'],
])('portmap: mapping %j', (entry, problem) => {
  const act = (): void => hold('portmap', { runtimeConfig: { portMappings: [entry] } })
  if (problem === undefined) expect(act).not.toThrow()
  else expect(act).toThrow(problem)
})

test('bridge: minID and maxID come together', () =>
  expect(() => hold('bridge', { vlanTrunk: [{ minID: 1 }] })).toThrow('$.vlanTrunk[0].maxID: missing, but required'))

test('a path with an unusual key is written as JSON', () => {
  expect(() => hold('tuning', { sysctl: { 'net.ipv4.ip_forward': 1 } })).toThrow(
    '$.sysctl["net.ipv4.ip_forward"]: 1 is not',
  )
  expect(() => hold('tuning', { sysctl: { 'a/b~c\n': 1 } })).toThrow('$.sysctl["a/b~c\\n"]: 1 is not')
})

test('a long value is cut in the message', () => {
  const act = (): void => hold('bridge', { mtu: 'x'.repeat(1e5) })
  expect(act).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,200}$/s) }))
})

test.each(types)('%s: any configuration holds or is refused by a DecodeError that names a path', (type) => {
  const known = fc.constantFrom(
    'mtu',
    'ipam',
    'runtimeConfig',
    'args',
    'vlanTrunk',
    'ranges',
    'routes',
    'dns',
    'name',
    'ips',
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.jsonValue(),
      fc.array(tie('value')),
      fc.dictionary(fc.oneof(known, fc.string()), tie('value')),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(fc.oneof(known, fc.string()), value), (keys) => {
      try {
        hold(type, keys)
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
        expect((error as DecodeError).path).toMatch(/^\$/)
      }
    }),
    { numRuns: 40 },
  )
})
