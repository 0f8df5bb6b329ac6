/** The table of the tests of nft facts: a map, and both kinds of intervals. */
import { mapOf, meta, payload } from '../../netfilter/expression.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import { equals, inSet, rule } from '../../netfilter/statement.ts'

export const FACT_TABLE: Table = {
  family: 'inet',
  name: 'podwire-test',
  sets: [
    { name: 'ports', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
    { name: 'subnets', key: ['ipv4_addr', 'ipv4_addr'], interval: true },
    { name: 'ranges', key: ['ipv4_addr'], interval: true },
  ],
  chains: [
    {
      name: 'prerouting',
      base: { type: 'nat', hook: 'prerouting', priority: -100 },
      rules: [
        rule({
          kind: 'dnat',
          family: 'ip',
          to: mapOf({ kind: 'concat', parts: [meta('l4proto'), payload('th dport')] }, 'ports'),
        }),
        rule(inSet('subnets', payload('ip saddr'), payload('ip daddr')), { kind: 'accept' }),
        rule(inSet('ranges', payload('ip saddr')), equals(meta('iifname'), 'lo'), { kind: 'accept' }),
      ],
    },
  ],
}
