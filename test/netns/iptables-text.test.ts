/** What renderIptables() writes is taken by iptables-restore, and says what was meant: iptables-save prints it back. */
import { expect, test } from 'vitest'
import { and, ct, fib, meta, or, payload, value } from '../../netfilter/expression.ts'
import { ruleKey } from '../../netfilter/iptables-rule.ts'
import { renderIptables } from '../../netfilter/iptables-text.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import { accept, differs, drop, equals, goBack, goTo, jump, masquerade, rule } from '../../netfilter/statement.ts'
import { makeNetns, mustIn } from '../support/netns.ts'

const mark = meta('mark')
const tcp = payload('tcp dport')

const TABLE: Table = {
  family: 'inet',
  name: 'test',
  sets: [],
  chains: [
    {
      name: 'pre',
      base: { type: 'nat', hook: 'prerouting', priority: -100 },
      rules: [rule(equals(fib(['daddr'], 'type'), 'local'), jump('ports'))],
    },
    {
      name: 'ports',
      rules: [
        rule(equals(tcp, 80), {
          kind: 'dnat',
          family: 'ip',
          to: value('ipv4_addr', '10.0.0.2'),
          port: value('inet_service', 8080),
        }),
        rule(equals(tcp, 80), {
          kind: 'dnat',
          family: 'ip6',
          to: value('ipv6_addr', 'fd00::2'),
          port: value('inet_service', 8080),
        }),
        rule(equals(payload('udp dport'), { from: 53, to: 54 }), {
          kind: 'redirect',
          port: value('inet_service', 5353),
        }),
      ],
    },
    {
      name: 'post',
      base: { type: 'nat', hook: 'postrouting', priority: 100 },
      rules: [
        { statements: [equals(and(mark, 0x4000), 0x4000), masquerade], comment: 'net/a/eth0' },
        rule(differs(payload('ip daddr'), '10.0.0.0/8'), equals(ct('status'), ['dnat']), masquerade),
      ],
    },
    {
      name: 'fwd',
      base: { type: 'filter', hook: 'forward', priority: 0 },
      rules: [
        rule(equals(ct('state'), ['established', 'related']), accept),
        rule(equals(meta('iifname'), 'veth*'), differs(meta('oifname'), 'veth*'), goTo('pods')),
        rule(equals(payload('icmp type'), 'echo-request'), { kind: 'limit', rate: 5, per: 'second' }, accept),
        rule(equals(payload('icmpv6 type'), 'echo-request'), accept),
        rule({ kind: 'log', prefix: 'dropped: ' }),
        rule({ kind: 'reject', with: 'tcp reset' }),
        rule({ kind: 'reject', with: 'icmpx admin-prohibited' }),
      ],
    },
    {
      name: 'pods',
      rules: [
        rule(equals(payload('ip saddr'), { from: '10.0.0.1', to: '10.0.0.9' }), goBack),
        rule(equals(ct('proto-dst', 'original'), 80), equals(ct('ip daddr', 'original'), '192.0.2.1'), accept),
        rule(equals(and(payload('tcp flags'), 0x12), 'syn'), drop),
      ],
    },
    {
      name: 'marks',
      base: { type: 'filter', hook: 'prerouting', priority: -150 },
      rules: [
        rule({ kind: 'set', target: 'meta mark', to: or(mark, 0x4000) }),
        rule({ kind: 'set', target: 'meta mark', to: ct('mark') }),
        rule({ kind: 'set', target: 'ct mark', to: mark }),
      ],
    },
    {
      name: 'early',
      base: { type: 'filter', hook: 'prerouting', priority: -300 },
      rules: [rule(equals(payload('udp dport'), 8472), { kind: 'notrack' })],
    },
  ],
}

/** Rules of a save or restore text, by chain, in a spelling that compares. */
const rulesIn = (text: string): readonly string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('-A '))
    .map((line) => ruleKey(line.replaceAll('--nfmask 0xffffffff --ctmask 0xffffffff', '').trim()))
    .sort()

const RESTORE = [
  ['iptables-nft', 4],
  ['ip6tables-nft', 6],
  ['iptables-legacy', 4],
  ['ip6tables-legacy', 6],
] as const
test.for(RESTORE)('%s-restore takes the rendering, and saves the same rules', ([program, family]) => {
  const netns = makeNetns('ipt')
  const text = renderIptables(TABLE, family)
  mustIn(netns, [`${program}-restore`, '--noflush'], { input: text })
  expect(rulesIn(mustIn(netns, [`${program}-save`]))).toEqual(rulesIn(text))
  expect(rulesIn(text).length).toBeGreaterThanOrEqual(15)
})
