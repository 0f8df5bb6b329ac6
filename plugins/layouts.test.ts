/** Fixed tables state the hash of their layout, so that an exec that finds them made need not build them. Where a table was
 *  changed on purpose the new hash is what this test expected to find. */
import { expect, test } from 'vitest'
import { MASQUERADE_TABLE } from '../kernel/masquerade.ts'
import { layoutOf } from '../kernel/nft-table.ts'
import type { Table } from '../netfilter/ruleset.ts'
import { MACSPOOF_TABLE } from './bridge/macspoofchk.ts'
import { BRIDGE_TABLE, FIREWALL_TABLE } from './firewall/table.ts'
import { HOSTPORT_TABLE } from './portmap/hostport-table.ts'

const TABLES: readonly Table[] = [MASQUERADE_TABLE, MACSPOOF_TABLE, FIREWALL_TABLE, BRIDGE_TABLE, HOSTPORT_TABLE]

test.for(TABLES)('the $family table $name states its layout', (table) => {
  expect(table.layout).toBe(layoutOf(table))
})

test('layoutOf() is another one for another chain, and the same whatever the table states', () => {
  const [first] = MASQUERADE_TABLE.chains
  expect(layoutOf({ ...MASQUERADE_TABLE, layout: 'x' })).toBe(layoutOf(MASQUERADE_TABLE))
  expect(layoutOf({ ...MASQUERADE_TABLE, chains: [{ ...first, name: 'other' }] as Table['chains'] })).not.toBe(
    layoutOf(MASQUERADE_TABLE),
  )
})
