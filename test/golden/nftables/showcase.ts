/** Tables that use every kind of statement, expression, set and type, several ways each. What stock `nft` sends for their
 *  text is recorded beside this file (`*.hex`); the kernel tests load and list them. */
import { fib, meta, payload, value } from '../../../netfilter/expression.ts'
import type { Element, Table } from '../../../netfilter/ruleset.ts'
import { accept, differs, drop, equals, inSet, masquerade } from '../../../netfilter/statement.ts'

import { chain, lookups, matches, nat, of, raw, statements, tcpPort } from './showcase-chains.ts'
import { ELEMENTS, SETS } from './showcase-sets.ts'

export interface Exhibit {
  /** Not loaded: the kernel the tests run on has no nft_queue. */
  readonly unloadable?: true
  readonly table: Table
  /** Elements by set. */
  readonly elements: Readonly<Record<string, readonly Element[]>>
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
