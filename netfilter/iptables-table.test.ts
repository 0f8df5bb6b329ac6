import { expect, test } from 'vitest'
import { ensureLines, type IptablesRules, missingFrom, parseTable, removeLines, scriptOf } from './iptables-table.ts'

const record = (source: string, ifName: string) => `-s ${source} -m comment --comment "net/c/${ifName}"`
const want = (ifName: string, source: string): IptablesRules => ({
  owner: `net/c/${ifName}`,
  network: 'net/',
  chains: [{ name: 'OWN', rules: [`-d ${source}/24 -j ACCEPT`, '-j MASQUERADE', record(source, ifName)] }],
  shared: ['TOP'],
  rules: [
    { chain: 'FORWARD', rule: '-j TOP', position: 'first', shared: true },
    { chain: 'POSTROUTING', rule: `-s ${source} -j OWN`, position: 'last' },
  ],
})
const FRESH = ':FORWARD ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n'

/** What the table is after restore commands ran; only the commands that the functions under test print. */
const restored = (text: string, lines: readonly string[]): string => {
  const chains = new Map([...parseTable(text)].map(([name, rules]) => [name, [...rules]]))
  for (const line of lines) {
    const [, command = '', name = '', rest = ''] = /^(:|-[A-Z] )(\S+) ?(.*)$/.exec(line) ?? []
    const rules = chains.get(name) ?? []
    if (command === ':' || command === '-N ') chains.set(name, [])
    else if (command === '-A ') rules.push(rest)
    else if (command === '-I ') rules.splice(Number.parseInt(rest, 10) - 1, 0, rest.replace(/^\d+ /, ''))
    else if (command === '-D ') rules.splice(rules.indexOf(rest), 1)
    else if (command === '-F ') rules.splice(0)
    else chains.delete(name)
  }
  const names = [...chains.keys()].map((name) => `:${name} - [0:0]`)
  return [...names, ...[...chains].flatMap(([name, rules]) => rules.map((rule) => `-A ${name} ${rule}`))].join('\n')
}

const ensured = (text: string, ifName: string, source: string): string =>
  restored(text, ensureLines(want(ifName, source), parseTable(text)))

test('parseTable() reads chains and rules of iptables-save', () => {
  const text = `# Generated\n*nat\n:POSTROUTING ACCEPT [12:3]\n:OWN - [0:0]\n-A POSTROUTING -s 10.0.0.1/32 -j OWN\n-A OWN\nCOMMIT\n`
  expect([...parseTable(text)]).toEqual([
    ['POSTROUTING', ['-s 10.0.0.1/32 -j OWN']],
    ['OWN', ['']],
  ])
})

test('scriptOf() is one transaction', () => {
  expect(scriptOf('nat', ['-N A', '-A A -j B'])).toBe('*nat\n-N A\n-A A -j B\nCOMMIT\n')
})

test('ensureLines() creates what is missing, and nothing when it is run again', () => {
  const lines = ensureLines(want('eth0', '10.0.0.1'), parseTable(FRESH))
  expect(lines).toEqual([
    '-N TOP',
    ':OWN - [0:0]',
    '-A OWN -d 10.0.0.1/24 -j ACCEPT',
    '-A OWN -j MASQUERADE',
    `-A OWN ${record('10.0.0.1', 'eth0')}`,
    '-A FORWARD -j TOP',
    '-A POSTROUTING -s 10.0.0.1 -j OWN',
  ])
  expect(ensureLines(want('eth0', '10.0.0.1'), parseTable(restored(FRESH, lines)))).toEqual([])
})

test('ensureLines() rewrites an own chain that differs and leaves a shared one alone', () => {
  const text = `${FRESH}:OWN - [0:0]\n:TOP - [0:0]\n-A TOP -j ACCEPT\n-A OWN -j DROP\n`
  const after = parseTable(ensured(text, 'eth0', '10.0.0.1'))
  expect(after.get('TOP')).toEqual(['-j ACCEPT'])
  expect(after.get('OWN')).not.toContain('-j DROP')
})

test.for([
  ['first', ['-j TOP', '-j A', '-j B']],
  ['last', ['-j A', '-j B', '-j TOP']],
  [{ behind: 'A' }, ['-j A', '-j TOP', '-j B']],
  [{ behind: 'NONE' }, ['-j TOP', '-j A', '-j B']],
] as const)('ensureLines() puts a rule at %j', ([position, order]) => {
  const text = `${FRESH}:TOP - [0:0]\n-A FORWARD -j A\n-A FORWARD -j B\n`
  const rules = [{ chain: 'FORWARD', rule: '-j TOP', position }]
  const lines = ensureLines({ owner: '', network: 'net/', chains: [], shared: [], rules }, parseTable(text))
  expect(parseTable(restored(text, lines)).get('FORWARD')).toEqual(order)
})

test('two attachments share a chain: what lets through stays before what masquerades, and each leaves alone', () => {
  const both = ensured(ensured(FRESH, 'eth0', '10.0.0.1'), 'eth1', '10.0.1.1')
  expect(parseTable(both).get('OWN')?.slice(0, 3)).toEqual([
    '-d 10.0.0.1/24 -j ACCEPT',
    '-d 10.0.1.1/24 -j ACCEPT',
    '-j MASQUERADE',
  ])
  const bare = { ...want('eth0', ''), chains: [{ name: 'OWN', rules: [] }], rules: [] }
  const one = restored(both, removeLines(bare, parseTable(both)))
  expect(parseTable(one).get('POSTROUTING')).toEqual(['-s 10.0.1.1 -j OWN'])
  expect(missingFrom(want('eth1', '10.0.1.1'), parseTable(one))).toEqual([])
  const none = parseTable(restored(one, removeLines({ ...bare, owner: 'net/c/eth1' }, parseTable(one))))
  expect([none.has('OWN'), none.get('POSTROUTING'), none.get('FORWARD')]).toEqual([false, [], ['-j TOP']])
})

test('removeLines() removes every jump to an own chain, with duplicates, and shared rules only when not shared', () => {
  const text = `${FRESH}:OWN - [0:0]\n-A POSTROUTING -s 10.9.9.9/32 -j OWN\n-A POSTROUTING -s 10.9.9.9/32 -j OWN\n-A POSTROUTING -j OWNER\n-A OWN -j DROP\n`
  expect(removeLines(want('eth0', '10.0.0.1'), parseTable(text))).toEqual([
    '-D POSTROUTING -s 10.9.9.9/32 -j OWN',
    '-D POSTROUTING -s 10.9.9.9/32 -j OWN',
    '-F OWN',
    '-X OWN',
  ])
})

test('removeLines() is empty when nothing is there', () => {
  expect(removeLines(want('eth0', '10.0.0.1'), parseTable(FRESH))).toEqual([])
})

test('missingFrom() names each chain and rule that is not there', () => {
  expect(missingFrom(want('eth0', '10.0.0.1'), parseTable(`${FRESH}-A FORWARD -j TOP\n`))).toEqual([
    'chain TOP',
    'rule -A OWN -d 10.0.0.1/24 -j ACCEPT',
    'rule -A OWN -j MASQUERADE',
    `rule -A OWN ${record('10.0.0.1', 'eth0')}`,
    'rule -A POSTROUTING -s 10.0.0.1 -j OWN',
  ])
})
