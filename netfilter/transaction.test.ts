import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { decodeMessages, encodeMessages } from '../netlink/message.ts'
import { EXHIBITS } from '../test/golden/nftables/showcase.ts'
import { transcriptOf } from '../test/golden/nftables/stock.ts'
import { META } from './expression.ts'
import { addElements, createTable } from './transaction.ts'

const golden = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../test/golden/nftables/${name}.hex`, 'utf8').replaceAll(/^# .*\n/gm, '')

test.for(EXHIBITS.map((exhibit) => [`${exhibit.table.family}-${exhibit.table.name}`, exhibit] as const))(
  'createTable() and addElements() send for %s what stock nft sends',
  ([name, { table, elements }]) => {
    const messages = [
      ...createTable(table),
      ...Object.entries(elements).flatMap(([set, list]) => addElements(table, set, list)),
    ]
    expect(transcriptOf(decodeMessages(encodeMessages(messages, 1)))).toBe(golden(name))
  },
)

/** Values of `kind` (or keys) that occur anywhere in `tree`. */
const valuesOf = (tree: unknown, key: string): ReadonlySet<unknown> => {
  const found = new Set<unknown>()
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, value] of Object.entries(node)) {
      if (name === key) found.add(value)
      walk(value)
    }
  }
  walk(tree)
  return found
}

const KINDS = [
  ...['accept', 'drop', 'return', 'jump', 'goto', 'match', 'lookup', 'vmap', 'dynset', 'dnat', 'snat', 'masquerade'],
  ...['redirect', 'reject', 'set', 'counter', 'log', 'limit', 'queue', 'notrack'],
  ...['meta', 'payload', 'ct', 'fib', 'numgen', 'jhash', 'symhash', 'bits', 'concat', 'map', 'value'],
]
test('the showcase has every kind of statement and expression', () => {
  expect([...valuesOf(EXHIBITS, 'kind')].sort()).toEqual([...KINDS].sort())
})

const ABSENT = ['iif', 'oif', 'ibrname', 'obrname', 'iiftype', 'nfproto', 'l4proto', 'protocol']
test('the showcase has every meta key but those that name a device of the machine', () => {
  const keys = valuesOf(EXHIBITS, 'key')
  expect(Object.keys(META).filter((key) => !keys.has(key) && !ABSENT.includes(key))).toEqual([])
})

test('createTable() refuses a fragment of text, which only nft can compile', () => {
  const [exhibit] = EXHIBITS
  const chains = [{ name: 'c', rules: [{ statements: [{ kind: 'raw', text: 'ip saddr 1.2.3.4' } as const] }] }]
  expect(() => createTable({ ...(exhibit?.table ?? { family: 'inet', name: 't', sets: [] }), chains })).toThrow(
    /"ip saddr 1.2.3.4" is nft text/,
  )
})
