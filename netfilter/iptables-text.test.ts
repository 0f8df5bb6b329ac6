import { expect, test } from 'vitest'
import { and, ct, fib, meta, or, payload, value } from './expression.ts'
import { renderIptables } from './iptables-text.ts'
import type { BaseChain, Rule, Statement, Table } from './ruleset.ts'
import { accept, differs, drop, equals, goTo, inSet, jump, masquerade, rule } from './statement.ts'

const FORWARD: BaseChain = { type: 'filter', hook: 'forward', priority: 0 }
const tableOf = (rules: readonly Rule[], base: BaseChain = FORWARD): Table => ({
  family: 'inet',
  name: 'test',
  sets: [],
  chains: [
    { name: 'chain', base, rules },
    { name: 'other', rules: [] },
  ],
})

/** The rules' texts, without `-A CHAIN`. */
const rendered = (statements: readonly Statement[], family: 4 | 6, base?: BaseChain): string[] =>
  renderIptables(tableOf([rule(...statements)], base), family)
    .split('\n')
    .filter((line) => line.startsWith('-A'))
    .map((line) => line.replace(/^-A \S+ ?/, ''))

const mark = meta('mark')
const tcp = payload('tcp dport')

const MATCHES: readonly (readonly [statement: Statement, ipv4: string | undefined, ipv6: string | undefined])[] = [
  [equals(meta('iifname'), 'veth*'), '-i veth+', '-i veth+'],
  [differs(meta('oifname'), 'lo'), '! -o lo', '! -o lo'],
  [equals(meta('l4proto'), 'udp'), '-p udp', '-p udp'],
  [equals(meta('nfproto'), 'ipv6'), undefined, ''],
  [equals(payload('ip saddr'), '10.0.0.0/8'), '-s 10.0.0.0/8', undefined],
  [differs(payload('ip6 daddr'), 'fd00::/64'), undefined, '! -d fd00::/64'],
  [
    equals(payload('ip saddr'), { from: '10.0.0.1', to: '10.0.0.9' }),
    '-m iprange --src-range 10.0.0.1-10.0.0.9',
    undefined,
  ],
  [equals(tcp, 80), '-p tcp -m tcp --dport 80', '-p tcp -m tcp --dport 80'],
  [differs(tcp, { from: 80, to: 90 }), '-p tcp -m tcp ! --dport 80:90', '-p tcp -m tcp ! --dport 80:90'],
  [equals(payload('icmp type'), 'echo-request'), '-p icmp -m icmp --icmp-type 8', undefined],
  [equals(payload('icmpv6 type'), 'echo-request'), undefined, '-p ipv6-icmp -m icmp6 --icmpv6-type 128'],
  [equals(and(payload('tcp flags'), 0x12), 'syn'), ...both('-p tcp -m tcp --tcp-flags SYN,ACK SYN')],
  [equals(mark, 16), ...both('-m mark --mark 0x10')],
  [differs(and(mark, 0x4000), 0x4000), ...both('-m mark ! --mark 0x4000/0x4000')],
  [equals(ct('state'), ['related', 'established']), ...both('-m conntrack --ctstate RELATED,ESTABLISHED')],
  [equals(ct('status'), ['dnat']), ...both('-m conntrack --ctstate DNAT')],
  [equals(ct('mark'), 7), ...both('-m connmark --mark 0x7')],
  [equals(ct('direction'), 'reply'), ...both('-m conntrack --ctdir REPLY')],
  [equals(ct('ip daddr', 'original'), '192.0.2.1'), '-m conntrack --ctorigdst 192.0.2.1', undefined],
  [equals(ct('proto-dst', 'original'), 80), ...both('-m conntrack --ctorigdstport 80')],
  [equals(fib(['daddr'], 'type'), 'local'), ...both('-m addrtype --dst-type LOCAL')],
  [equals(meta('pkttype'), 'multicast'), ...both('-m pkttype --pkt-type multicast')],
  [equals(meta('skuid'), 0), ...both('-m owner --uid-owner 0')],
  [{ kind: 'limit', rate: 10, per: 'minute', burst: 20 }, ...both('-m limit --limit 10/min --limit-burst 20')],
]
function both(text: string): [string, string] {
  return [text, text]
}

test.for(MATCHES)('renderIptables() writes the condition %j', ([statement, ipv4, ipv6]) => {
  const accepting = (text: string | undefined) => (text === undefined ? [] : [`${text} -j ACCEPT`.trimStart()])
  expect(rendered([statement, accept], 4)).toEqual(accepting(ipv4))
  expect(rendered([statement, accept], 6)).toEqual(accepting(ipv6))
})

const NAT: BaseChain = { type: 'nat', hook: 'prerouting', priority: -100 }
const TARGETS: readonly (readonly [statement: Statement, ipv4: string | undefined, ipv6: string | undefined])[] = [
  [drop, ...both('-j DROP')],
  [jump('other'), ...both('-j other')],
  [goTo('other'), ...both('-g other')],
  [{ kind: 'masquerade', flags: ['fully-random'] }, ...both('-j MASQUERADE --random-fully')],
  [{ kind: 'dnat', family: 'ip', to: value('ipv4_addr', '10.0.0.2') }, '-j DNAT --to-destination 10.0.0.2', undefined],
  [
    { kind: 'dnat', family: 'ip6', to: value('ipv6_addr', 'fd00::2'), port: value('inet_service', 80) },
    undefined,
    '-j DNAT --to-destination [fd00::2]:80',
  ],
  [
    { kind: 'snat', family: 'ip', to: value('ipv4_addr', '192.0.2.1'), flags: ['persistent'] },
    '-j SNAT --to-source 192.0.2.1 --persistent',
    undefined,
  ],
  [{ kind: 'redirect', port: value('inet_service', 8080) }, ...both('-j REDIRECT --to-ports 8080')],
  [
    { kind: 'reject', with: 'icmpx port-unreachable' },
    '-j REJECT --reject-with icmp-port-unreachable',
    '-j REJECT --reject-with icmp6-port-unreachable',
  ],
  [{ kind: 'reject', with: 'tcp reset' }, ...both('-p tcp -j REJECT --reject-with tcp-reset')],
  [{ kind: 'set', target: 'meta mark', to: value('mark', 1) }, ...both('-j MARK --set-xmark 0x1/0xffffffff')],
  [{ kind: 'set', target: 'meta mark', to: or(mark, 0x4000) }, ...both('-j MARK --set-xmark 0x4000/0x4000')],
  [{ kind: 'set', target: 'meta mark', to: and(mark, 0xff) }, ...both('-j MARK --set-xmark 0x0/0xffffff00')],
  [{ kind: 'set', target: 'ct mark', to: mark }, ...both('-j CONNMARK --save-mark')],
  [{ kind: 'set', target: 'meta mark', to: ct('mark') }, ...both('-j CONNMARK --restore-mark')],
  [{ kind: 'set', target: 'ct zone', to: value('zone', 3) }, ...both('-j CT --zone 3')],
  [{ kind: 'log', prefix: 'dropped: ' }, ...both('-j LOG --log-prefix "dropped: "')],
  [{ kind: 'log', prefix: 'dropped', group: 2 }, ...both('-j NFLOG --nflog-prefix dropped --nflog-group 2')],
  [{ kind: 'queue', from: 1, to: 3, bypass: true }, ...both('-j NFQUEUE --queue-balance 1:3 --queue-bypass')],
  [{ kind: 'notrack' }, ...both('-j CT --notrack')],
]
test.for(TARGETS)('renderIptables() writes the target %j', ([statement, ipv4, ipv6]) => {
  expect(rendered([statement], 4, NAT)).toEqual(ipv4 === undefined ? [] : [ipv4])
  expect(rendered([statement], 6, NAT)).toEqual(ipv6 === undefined ? [] : [ipv6])
})

test('renderIptables() gives each kind of base chain its table, and each table the chains it can come to', () => {
  const table: Table = {
    family: 'inet',
    name: 'test',
    sets: [],
    chains: [
      { name: 'in', base: NAT, rules: [rule(jump('ports'))] },
      { name: 'ports', rules: [{ statements: [equals(tcp, 80), goTo('deep')], comment: 'net "a"' }] },
      { name: 'deep', rules: [rule({ kind: 'counter' }, masquerade)] },
      { name: 'fwd', base: FORWARD, rules: [rule(drop)] },
      { name: 'early', base: { type: 'filter', hook: 'output', priority: -300 }, rules: [rule({ kind: 'notrack' })] },
      { name: 'marks', base: { type: 'route', hook: 'output', priority: -150 }, rules: [] },
    ],
  }
  expect(renderIptables(table, 4)).toBe(`*raw
-A OUTPUT -j CT --notrack
COMMIT
*mangle
COMMIT
*nat
:ports - [0:0]
:deep - [0:0]
-A PREROUTING -j ports
-A ports -p tcp -m tcp --dport 80 -m comment --comment "net \\"a\\"" -g deep
-A deep -j MASQUERADE
COMMIT
*filter
-A FORWARD -j DROP
COMMIT
`)
})

const REFUSED: readonly (readonly [what: string, statements: readonly Statement[]])[] = [
  ['a set', [inSet('pods', payload('ip saddr')), accept]],
  ['two targets', [{ kind: 'log' }, drop]],
  ['a condition behind a target', [masquerade, equals(tcp, 80)]],
  ['an order of numbers', [{ kind: 'match', left: tcp, op: '<', right: 80 }, accept]],
  ['a limit turned round', [{ kind: 'limit', rate: 1, per: 'second', over: true }, drop]],
  ['a port of no protocol', [equals(payload('th dport'), 80), accept]],
  ['text of nft', [{ kind: 'raw', text: 'accept' }]],
]
test.for(REFUSED)('renderIptables() refuses %s and names the way out', ([, statements]) => {
  expect(() => rendered(statements, 4)).toThrow(/cannot be said with iptables: use the nftables backend$/)
})

test('renderIptables() refuses a bridge and a declared set', () => {
  expect(() => renderIptables({ ...tableOf([]), family: 'bridge' }, 4)).toThrow(/"bridge" has no iptables table/)
  expect(() => renderIptables({ ...tableOf([]), sets: [{ name: 'pods', key: ['ipv4_addr'] }] }, 4)).toThrow(
    /the set "pods"/,
  )
})
