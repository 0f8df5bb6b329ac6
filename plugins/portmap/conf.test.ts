import { expect, test } from 'vitest'
import type { Call } from '../../cni/plugin.ts'
import { type Mapping, type PortmapConf, parsePortmapConf } from './conf.ts'

const parse = (keys: object): PortmapConf =>
  parsePortmapConf({ conf: { cniVersion: '1.0.0', name: 'n', type: 'portmap', ...keys } } as unknown as Call)
const publishing = (...portMappings: readonly object[]): object => ({ runtimeConfig: { portMappings } })
const mappingsIn = (...entries: readonly object[]): readonly Mapping[] => parse(publishing(...entries)).mappings

test('parsePortmapConf() of no keys: nftables, masquerading, nothing published', () => {
  expect(parse({})).toEqual({
    backend: 'nftables',
    mappings: [],
    snat: true,
    masqAll: false,
    markMasqBit: 13,
    conditions: { 4: [], 6: [] },
  })
  expect(parse({ runtimeConfig: { portMappings: null } }).mappings).toEqual([])
  expect(parse({ runtimeConfig: null }).mappings).toEqual([])
})

const BACKENDS: readonly (readonly [keys: object, backend: PortmapConf['backend']])[] = [
  [{ backend: 'iptables' }, 'iptables'],
  [{ backend: 'nftables' }, 'nftables'],
  [{ conditionsV4: ['!', '-d', '192.0.2.0/24'] }, 'iptables'],
  [{ conditionsV6: ['-m', 'mark', '--mark', '1'] }, 'iptables'],
  [{ conditionsV4: ['ip daddr != 192.0.2.0/24'] }, 'nftables'],
  [{ conditionsV4: [''], conditionsV6: [] }, 'nftables'],
  [{ conditionsV4: null }, 'nftables'],
  [{ externalSetMarkChain: 'KUBE-MARK-MASQ' }, 'iptables'],
  [{ markMasqBit: 5 }, 'nftables'],
]
test.for(BACKENDS)('parsePortmapConf() of %j chooses %s', ([keys, backend]) => {
  expect(parse(keys).backend).toBe(backend)
})

const PORT = { hostPort: 8080, containerPort: 80 }
const HOSTS: readonly (readonly [hostIP: string | undefined, limits: Partial<Mapping>])[] = [
  [undefined, {}],
  ['', {}],
  ['192.0.2.1', { family: 4, hostIP: '192.0.2.1' as never }],
  ['::ffff:192.0.2.1', { family: 4, hostIP: '192.0.2.1' as never }],
  ['0.0.0.0', { family: 4 }],
  ['2001:DB8::0:1', { family: 6, hostIP: '2001:db8::1' as never }],
  ['[2001:db8::1]', { family: 6, hostIP: '2001:db8::1' as never }],
  ['::', { family: 6 }],
  ['[::]', { family: 6 }],
]
test.for(HOSTS)('parsePortmapConf() of hostIP %j', ([hostIP, limits]) => {
  const entry = { ...PORT, protocol: 'UDP', ...(hostIP === undefined ? {} : { hostIP }) }
  expect(mappingsIn(entry)).toEqual([{ ...PORT, protocol: 'udp', ...limits }])
})

test('parsePortmapConf() takes the same mapping once, and one port on two addresses twice', () => {
  const entry = { ...PORT, protocol: 'tcp' }
  expect(mappingsIn(entry, { ...entry, protocol: 'TCP' })).toHaveLength(1)
  expect(mappingsIn({ ...entry, hostIP: '192.0.2.1' }, { ...entry, hostIP: '192.0.2.2' }, entry)).toHaveLength(3)
  expect(mappingsIn(entry, { ...entry, protocol: 'sctp' })).toHaveLength(2)
})

const REFUSED: readonly (readonly [keys: object, message: string])[] = [
  [
    { backend: 'nftables', externalSetMarkChain: 'X' },
    '$.externalSetMarkChain: "X" is an option of the iptables backend, but "backend" is "nftables"',
  ],
  [
    { backend: 'iptables', conditionsV6: ['ip6 daddr fd00::1'] },
    '$.conditionsV6: ["ip6 daddr fd00::1"] is an option of the nftables backend, but "backend" is "iptables"',
  ],
  [
    { conditionsV4: ['-d', '192.0.2.1'], conditionsV6: ['ip6 daddr fd00::1'] },
    '$.conditionsV6: ["ip6 daddr fd00::1"] is an option of the nftables backend, but another key asks for "iptables"',
  ],
  [
    { markMasqBit: 3, externalSetMarkChain: 'X' },
    '$.markMasqBit: 3 cannot stand beside externalSetMarkChain, which sets the mark',
  ],
  [
    { conditionsV4: ['ip daddr 192.0.2.1; flush ruleset'] },
    '$.conditionsV4: "ip daddr 192.0.2.1; flush ruleset" holds ";" or a control character, which would end the rule',
  ],
  [
    { conditionsV6: ['ip6 daddr\nfd00::1'] },
    '$.conditionsV6: "ip6 daddr\\nfd00::1" holds ";" or a control character, which would end the rule',
  ],
  [
    publishing({ ...PORT, protocol: 'tcp' }, { ...PORT, protocol: 'tcp', hostIP: 'localhost' }),
    '$.runtimeConfig.portMappings[1].hostIP: "localhost" is not an IPv4 or IPv6 address',
  ],
  [
    publishing({ ...PORT, protocol: 'tcp' }, { hostPort: 8080, containerPort: 81, protocol: 'TCP' }),
    '$.runtimeConfig.portMappings[1]: host port 8080/tcp cannot lead to container port 81: another entry leads it to 80',
  ],
]
test.for(REFUSED)('parsePortmapConf() refuses %j', ([keys, message]) => {
  expect(() => parse(keys)).toThrow(expect.objectContaining({ name: 'DecodeError', message }))
})
