import { expect, test } from 'vitest'
import type { Table } from '../netfilter/ruleset.ts'
import type { IptablesFact } from './iptables.ts'
import { leftBy } from './leaving.ts'
import type { NftElement, NftFact } from './nft.ts'
import type { Fact } from './plan.ts'

const table = { family: 'inet', name: 'podwire-overlay', comment: '', sets: [], chains: [] } as unknown as Table
const element = (key: string) => ({ set: 'networks', key: [key], owner: 'a' }) as unknown as NftElement
const nft = (...keys: readonly string[]): NftFact => ({ kind: 'nft', ns: 'node', table, elements: keys.map(element) })

const rule = (match: string) => ({ chain: 'POSTROUTING', args: [match] }) as unknown as IptablesFact['rules'][number]
const chain = (name: string) => ({ name, rules: [] }) as unknown as IptablesFact['chains'][number]
const iptables = (chains: readonly string[], rules: readonly string[]): IptablesFact => ({
  kind: 'iptables',
  ns: 'node',
  family: 4,
  table: 'nat',
  owner: { network: 'net', containerID: 'c', ifName: 'eth0' },
  chains: chains.map(chain),
  shared: [],
  rules: rules.map(rule),
})
const sysctl: Fact = { kind: 'sysctl', ns: 'node', path: 'net/ipv4/ip_forward', value: '1' }

test.for<readonly [what: string, before: Fact, after: Fact, left: Fact | undefined]>([
  ['the elements that are no more', nft('a', 'b', 'c'), nft('b', 'd'), nft('a', 'c')],
  ['nothing when elements came', nft('a'), nft('a', 'b'), undefined],
  [
    'chains and rules that are no more',
    iptables(['A', 'B'], ['x', 'y']),
    iptables(['B'], ['y']),
    iptables(['A'], ['x']),
  ],
  ['nothing when rules came', iptables(['A'], ['x']), iptables(['A'], ['x', 'y']), undefined],
  ['nothing of kinds with one value', sysctl, { ...sysctl, value: '0' }, undefined],
])('leftBy() is %s', ([, before, after, left]) => {
  expect(leftBy(before, after)).toEqual(left)
})
