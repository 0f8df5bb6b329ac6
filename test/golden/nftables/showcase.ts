/** Tables that use every kind of statement, expression, set and type, several ways each. What stock `nft` sends for their
 *  text is recorded beside this file (`*.hex`); the kernel tests load and list them. */
import {
  and,
  concatOf,
  ct,
  fib,
  jhash,
  mapOf,
  meta,
  numgen,
  or,
  payload,
  symhash,
  value,
  xor,
} from '../../../netfilter/expression.ts'
import type { Chain, Element, SetDecl, Statement, Table } from '../../../netfilter/ruleset.ts'
import {
  accept,
  differs,
  drop,
  equals,
  goBack,
  goTo,
  inSet,
  jump,
  masquerade,
  notInSet,
  rule,
} from '../../../netfilter/statement.ts'

export interface Exhibit {
  /** Not loaded: the kernel the tests run on has no nft_queue. */
  readonly unloadable?: true
  readonly table: Table
  /** Elements by set. */
  readonly elements: Readonly<Record<string, readonly Element[]>>
}

const of = (...statements: readonly Statement[]) => rule(...statements)
const chain = (name: string, ...rules: Chain['rules']): Chain => ({ name, rules })
const tcpPort = payload('tcp dport')
const mark = meta('mark')

const SETS: readonly SetDecl[] = [
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
]

const matches = chain(
  'matches',
  of(equals(meta('iifname'), 'eth0')),
  of(equals(meta('oifname'), 'veth*')),
  of(differs(meta('iifname'), 'lo')),
  of(equals(meta('skuid'), 1000)),
  of(equals(meta('nfproto'), 'ipv6')),
  of(equals(meta('l4proto'), 'sctp')),
  of(equals(meta('protocol'), 'ip6')),
  of(equals(meta('pkttype'), 'multicast')),
  of(equals(mark, 16)),
  of(differs(mark, 16)),
  of({ kind: 'match', left: mark, op: '>', right: 16 }),
  of({ kind: 'match', left: mark, op: '<=', right: 16 }),
  of(equals(mark, { from: 1, to: 3 })),
  of(differs(mark, { from: 1, to: 3 })),
  of(equals(and(mark, 0x4000), 0x4000)),
  of(differs(and(mark, 0xff), 1)),
  of(equals(payload('ip saddr'), '192.0.2.1')),
  of(equals(payload('ip saddr'), '10.0.0.0/8')),
  of(differs(payload('ip daddr'), '10.16.0.0/12')),
  of(equals(payload('ip saddr'), { from: '10.0.0.3', to: '10.0.0.9' })),
  of(equals(payload('ip6 daddr'), 'fd00::1')),
  of(equals(payload('ip6 saddr'), 'fd00::/64')),
  of(equals(payload('ip6 saddr'), 'fd00::/61')),
  of(equals(payload('ip protocol'), 'tcp'), equals(tcpPort, 80)),
  of(equals(tcpPort, { from: 80, to: 90 })),
  of({ kind: 'match', left: payload('udp dport'), op: '<', right: 1024 }),
  of(equals(payload('sctp sport'), 5000)),
  of(equals(payload('th dport'), 53)),
  of(equals(payload('tcp flags'), ['syn', 'ack'])),
  of(equals(and(payload('tcp flags'), 0x12), 'syn')),
  of(equals(payload('icmp type'), 'echo-request')),
  of(equals(payload('icmpv6 type'), 'nd-neighbor-solicit')),
  of(equals(payload('ether saddr'), '02:00:00:00:00:01')),
  of(equals(ct('state'), ['established', 'related'])),
  of(equals(ct('state'), 'new')),
  of(differs(ct('state'), 'established')),
  of(equals(ct('status'), ['dnat'])),
  of(equals(ct('direction'), 'original')),
  of(equals(ct('mark'), 7)),
  of(equals(ct('zone'), 3)),
  of(equals(ct('ip daddr', 'original'), '192.0.2.1')),
  of(equals(ct('ip6 saddr', 'reply'), 'fd00::1')),
  of(equals(meta('l4proto'), 'tcp'), equals(ct('proto-dst', 'original'), 80)),
  of(equals(fib(['daddr'], 'type'), 'local')),
  of(equals(fib(['iif', 'daddr'], 'type'), 'broadcast')),
  of(equals(numgen('random', 5, 3), 4)),
  of(equals(numgen('inc', 2), 0)),
  of(equals(jhash(concatOf(payload('ip saddr'), tcpPort), 4, 0x12, 1), 2)),
  of(equals(symhash(4), 2)),
)

const lookups = chain(
  'lookups',
  of(inSet('addresses', payload('ip saddr')), accept),
  of(notInSet('addresses6', payload('ip6 saddr')), drop),
  of(inSet('links', meta('iifname')), goBack),
  of(inSet('protocols', meta('l4proto'))),
  of(inSet('ports', tcpPort)),
  of(inSet('marks', mark)),
  of(inSet('mark-ranges', mark)),
  of(inSet('prefixes', payload('ip daddr'))),
  of(inSet('port-ranges', tcpPort)),
  of(inSet('pairs', payload('ip saddr'), tcpPort)),
  of(notInSet('range-pairs', payload('ip saddr'), tcpPort)),
  of(inSet('range-links', meta('iifname'), payload('ip6 saddr'))),
  of(inSet('macs', payload('ether saddr'))),
  of({
    kind: 'vmap',
    key: concatOf(payload('ip daddr'), meta('l4proto'), payload('th dport')),
    map: 'verdicts',
  }),
)

const statements: Chain = {
  name: 'statements',
  comment: 'one of each',
  rules: [
    of(jump('empty')),
    of(goTo('empty')),
    { statements: [{ kind: 'counter' }, accept], comment: 'who asked for it' },
    of({ kind: 'log', prefix: 'dropped: ', group: 2 }),
    of({ kind: 'log', prefix: 'dropped: ' }),
    of({ kind: 'log' }, drop),
    of({ kind: 'limit', rate: 10, per: 'second' }, accept),
    of({ kind: 'limit', rate: 400, per: 'minute', burst: 20, over: true }, drop),
    of({ kind: 'reject', with: 'icmpx port-unreachable' }),
    of({ kind: 'reject', with: 'icmpx admin-prohibited' }),
    of({ kind: 'reject', with: 'icmpx no-route' }),
    of({ kind: 'reject', with: 'icmpx host-unreachable' }),
    of(equals(meta('l4proto'), 'tcp'), { kind: 'reject', with: 'tcp reset' }),
    of({ kind: 'set', target: 'meta mark', to: or(mark, 0x4000) }),
    of({ kind: 'set', target: 'meta mark', to: and(mark, 0xffffbfff) }),
    of({ kind: 'set', target: 'meta mark', to: xor(mark, 0xff) }),
    of({ kind: 'set', target: 'meta mark', to: { kind: 'bits', of: mark, mask: 0xffff0000, xor: 5 } }),
    of({ kind: 'set', target: 'meta mark', to: ct('mark') }),
    of({ kind: 'set', target: 'meta mark', to: mapOf(payload('ip saddr'), 'mark-of') }),
    of({ kind: 'set', target: 'ct mark', to: mark }),
    of({ kind: 'set', target: 'ct mark', to: value('mark', 1) }),
    of({ kind: 'dynset', op: 'update', set: 'clients', key: payload('ip saddr'), timeout: 20 }),
    of({ kind: 'dynset', op: 'add', set: 'clients', key: payload('ip saddr') }),
    of({
      kind: 'dynset',
      op: 'update',
      set: 'affinity',
      key: payload('ip saddr'),
      data: value('ipv4_addr', '10.0.0.2'),
      timeout: 60,
    }),
  ],
}

const nat: readonly Chain[] = [
  {
    name: 'translate',
    base: { type: 'nat', hook: 'prerouting', priority: -90 },
    rules: [
      of({ kind: 'dnat', family: 'ip', to: value('ipv4_addr', '10.0.0.2') }),
      of(equals(meta('l4proto'), 'tcp'), {
        kind: 'dnat',
        family: 'ip',
        to: value('ipv4_addr', '10.0.0.2'),
        port: value('inet_service', 80),
        flags: ['random', 'persistent'],
      }),
      of(equals(meta('l4proto'), 'udp'), {
        kind: 'dnat',
        family: 'ip6',
        to: value('ipv6_addr', 'fd00::2'),
        port: value('inet_service', 53),
      }),
      of({ kind: 'dnat', family: 'ip', to: mapOf(concatOf(meta('l4proto'), payload('th dport')), 'targets') }),
      of({ kind: 'dnat', family: 'ip6', to: mapOf(concatOf(meta('l4proto'), payload('th dport')), 'targets6') }),
      of({ kind: 'dnat', family: 'ip', to: mapOf(mark, 'address-of'), flags: ['fully-random'] }),
      of(equals(tcpPort, 81), { kind: 'redirect', port: value('inet_service', 8081) }),
      of({ kind: 'redirect' }),
    ],
  },
  {
    name: 'hide',
    base: { type: 'nat', hook: 'postrouting', priority: 100 },
    rules: [
      of({ kind: 'snat', family: 'ip', to: value('ipv4_addr', '192.0.2.1'), flags: ['random'] }),
      of({ kind: 'masquerade', flags: ['fully-random', 'persistent'] }),
      of(masquerade),
    ],
  },
]

const raw: Chain = {
  name: 'early',
  base: { type: 'filter', hook: 'output', priority: -300 },
  rules: [
    of(equals(payload('udp dport'), 8472), { kind: 'notrack' }),
    of({ kind: 'set', target: 'ct zone', to: value('zone', 1) }),
  ],
}

const ELEMENTS: Exhibit['elements'] = {
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
  expiring: [{ key: ['192.0.2.1'], timeout: 50_000 }],
}

const inet: Exhibit = {
  table: {
    family: 'inet',
    name: 'showcase',
    comment: 'every kind of thing',
    sets: SETS,
    chains: [chain('empty'), matches, lookups, statements, ...nat, raw],
  },
  elements: ELEMENTS,
}

const bridge: Exhibit = {
  table: {
    family: 'bridge',
    name: 'showcase',
    sets: [{ name: 'port-macs', key: ['ifname', 'ether_addr'] }],
    chains: [
      {
        name: 'prerouting',
        base: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'drop' },
        rules: [
          of(inSet('port-macs', meta('iifname'), payload('ether saddr')), accept),
          of(equals(payload('ip saddr'), '192.0.2.1'), drop),
          of(equals(payload('ip6 saddr'), 'fd00::1'), equals(tcpPort, 80), drop),
          of(equals(payload('arp saddr ip'), '192.0.2.1'), drop),
          of(equals(payload('ether type'), 'arp'), drop),
        ],
      },
    ],
  },
  elements: { 'port-macs': [{ key: ['veth0', '02:00:00:00:00:01'], comment: 'net/a/eth0' }] },
}

const ip: Exhibit = {
  table: {
    family: 'ip',
    name: 'showcase',
    sets: [],
    chains: [
      {
        name: 'forward',
        base: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
        rules: [
          of(equals(payload('ip saddr'), '10.0.0.0/8'), equals(tcpPort, 80), accept),
          of({ kind: 'reject', with: 'tcp reset' }),
        ],
      },
      {
        name: 'prerouting',
        base: { type: 'nat', hook: 'prerouting', priority: -100 },
        rules: [of(equals(fib(['saddr', 'iif'], 'oif'), 0), { kind: 'dnat', to: value('ipv4_addr', '10.0.0.2') })],
      },
    ],
  },
  elements: {},
}

const ip6: Exhibit = {
  table: {
    family: 'ip6',
    name: 'showcase',
    sets: [{ name: 'pods', key: ['ipv6_addr'], interval: true }],
    chains: [
      {
        name: 'postrouting',
        base: { type: 'nat', hook: 'postrouting', priority: 99 },
        rules: [of(inSet('pods', payload('ip6 saddr')), differs(payload('ip6 daddr'), 'ff00::/8'), masquerade)],
      },
    ],
  },
  elements: { pods: [{ key: ['fd00::/64'] }] },
}

const queue: Exhibit = {
  unloadable: true,
  table: {
    family: 'inet',
    name: 'queueing',
    sets: [],
    chains: [
      chain(
        'listeners',
        of({ kind: 'queue', from: 5 }),
        of({ kind: 'queue', from: 1, to: 3, bypass: true, fanout: true }),
        of({ kind: 'queue', from: 7, bypass: true }),
      ),
    ],
  },
  elements: {},
}

export const EXHIBITS: readonly Exhibit[] = [inet, bridge, ip, ip6, queue]
