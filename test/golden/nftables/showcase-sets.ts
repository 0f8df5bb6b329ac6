/** Sets and maps of every type and kind, and elements for them. */
import { ct, meta, numgen, payload } from '../../../netfilter/expression.ts'
import type { Element, SetDecl } from '../../../netfilter/ruleset.ts'
import { drop, goTo } from '../../../netfilter/statement.ts'

export const SETS: readonly SetDecl[] = [
  { name: 'addresses', key: ['ipv4_addr'], comment: 'a comment' },
  { name: 'addresses6', key: ['ipv6_addr'] },
  { name: 'macs', key: ['ether_addr'] },
  { name: 'links', key: ['ifname'] },
  { name: 'marks', key: ['mark'] },
  { name: 'protocols', key: ['inet_proto'] },
  { name: 'ports', key: ['inet_service'] },
  { name: 'prefixes', key: ['ipv4_addr'], interval: true },
  { name: 'prefixes6', key: ['ipv6_addr'], interval: true },
  { name: 'port-ranges', key: ['inet_service'], interval: true },
  { name: 'mark-ranges', key: ['mark'], interval: true },
  { name: 'pairs', key: ['ipv4_addr', 'inet_service'] },
  { name: 'range-pairs', key: ['ipv4_addr', 'inet_service'], interval: true },
  { name: 'range-links', key: ['ifname', 'ipv6_addr'], interval: true },
  { name: 'targets', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  { name: 'targets6', key: ['inet_proto', 'inet_service'], data: ['ipv6_addr', 'inet_service'] },
  { name: 'mark-of', key: ['ipv4_addr'], data: ['mark'] },
  { name: 'address-of', key: ['mark'], data: ['ipv4_addr'] },
  { name: 'verdicts', key: ['ipv4_addr', 'inet_proto', 'inet_service'], data: 'verdict', comment: 'leads on' },
  { name: 'clients', key: ['ipv4_addr'], dynamic: true, timeout: 10800 },
  { name: 'affinity', key: ['ipv4_addr'], data: ['ipv4_addr'], dynamic: true, timeout: 0, size: 1000 },
  { name: 'expiring', key: ['ipv4_addr'], timeout: 93784 },
  { name: 'counted', key: ['ipv4_addr'], counter: true },
  {
    name: 'endpoints',
    key: ['ipv4_addr', 'inet_proto', 'inet_service', 'integer'],
    data: ['ipv4_addr', 'inet_service'],
    typeof: {
      key: [payload('ip daddr'), meta('l4proto'), payload('th dport'), numgen('random', 65536)],
      data: [payload('ip daddr'), payload('th dport')],
    },
  },
  { name: 'marked', key: ['mark', 'mark'], typeof: { key: [meta('mark'), ct('mark')] } },
  { name: 'sources', key: ['ipv6_addr'], data: ['mark'], typeof: { key: [payload('ip6 saddr')], data: [ct('mark')] } },
]

export const ELEMENTS: Readonly<Record<string, readonly Element[]>> = {
  addresses: [{ key: ['192.0.2.1'], comment: 'net/a/eth0' }, { key: ['192.0.2.2'] }],
  addresses6: [{ key: ['2001:db8::1'] }],
  macs: [{ key: ['02:00:00:00:00:01'] }],
  links: [{ key: ['eth0'] }],
  marks: [{ key: [0x4000] }],
  protocols: [{ key: ['tcp'] }],
  ports: [{ key: [443] }],
  prefixes: [{ key: ['10.0.0.0/8'], comment: 'net/a/eth0' }, { key: [{ from: '192.0.2.3', to: '192.0.2.9' }] }],
  prefixes6: [{ key: ['fd00::/64'] }],
  'port-ranges': [{ key: [{ from: 30000, to: 32767 }] }],
  'mark-ranges': [{ key: [{ from: 1, to: 0x300 }] }],
  pairs: [{ key: ['192.0.2.1', 80] }],
  'range-pairs': [{ key: ['10.0.0.0/8', { from: 80, to: 90 }], comment: 'net/a/eth0' }],
  'range-links': [{ key: ['eth0', 'fd00::/64'] }],
  targets: [{ key: ['tcp', 8080], data: ['10.0.0.2', 80], comment: 'net/a/eth0' }],
  targets6: [{ key: ['udp', 53], data: ['fd00::2', 53] }],
  'mark-of': [{ key: ['192.0.2.1'], data: [7] }],
  'address-of': [{ key: [7], data: ['10.0.0.2'] }],
  verdicts: [
    { key: ['192.0.2.1', 'tcp', 80], data: goTo('empty') },
    { key: ['192.0.2.1', 'tcp', 81], data: drop, comment: 'no endpoint' },
  ],
  endpoints: [{ key: ['10.96.0.1', 'tcp', 80, 3], data: ['10.0.0.2', 8080] }],
  expiring: [{ key: ['192.0.2.1'], timeout: 50_000 }],
}
