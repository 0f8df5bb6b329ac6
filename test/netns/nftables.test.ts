/** The codecs against the kernel and stock nft: tables of every kind of thing, made over netlink in one namespace and loaded
 *  as text by `nft -f` in another, list alike; and what the kernel dumps is what was meant. */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openKernel, withKernel } from '../../kernel/kernel.ts'
import { tableDrift } from '../../kernel/nft-drift.ts'
import { withLayout } from '../../kernel/nft-table.ts'
import { compileRule } from '../../netfilter/compile.ts'
import { idOf } from '../../netfilter/family.ts'
import { renderAddElements, renderCommands, renderTable } from '../../netfilter/text.ts'
import { addElements, createTable, elementSpecs } from '../../netfilter/transaction.ts'
import { commit } from '../../netlink/nfnetlink.ts'
import { dumpRules, readGeneration } from '../../netlink/nftables-dump.ts'
import { dumpElements, type ElementSpec } from '../../netlink/nftables-element.ts'
import { fingerprintOf, type Instruction } from '../../netlink/nftables-instruction.ts'
import { EXHIBITS, type Exhibit } from '../golden/nftables/showcase.ts'
import { parseTranscript, transcriptOf } from '../golden/nftables/stock.ts'
import { makeNetns, mustIn, pathOf, runIn } from '../support/netns.ts'

const nameOf = ({ table }: Exhibit): string => `${table.family}-${table.name}`
const NAMED = EXHIBITS.map((exhibit) => [nameOf(exhibit), exhibit] as const)
const LOADABLE = NAMED.filter(([, { unloadable }]) => unloadable !== true)

const commandsOf = ({ table, elements }: Exhibit): string =>
  [
    ...renderCommands(table),
    ...Object.entries(elements).map(([set, list]) => renderAddElements(table, set, list)),
    '',
  ].join('\n')

const apply = ({ table, elements }: Exhibit, netns: string): void =>
  withKernel(pathOf(netns), (kernel) =>
    commit(kernel.netfilter('pod'), 'create', [
      ...createTable(table, true),
      ...Object.entries(elements).flatMap(([set, list]) => addElements(table, set, list)),
    ]),
  )

const listed = (netns: string, ...options: readonly string[]): string =>
  mustIn(netns, ['nft', ...options, 'list', 'ruleset'])

/** Handles number objects in the order of their making. */
const json = (netns: string): unknown =>
  JSON.parse(listed(netns, '-s', '-j'), (key, each) => (key === 'handle' ? undefined : each))

test.for(NAMED)('what stock nft sends for %s is recorded', ([name, exhibit]) => {
  const netns = makeNetns('nft')
  const commands = commandsOf(exhibit)
  const { stdout, stderr } = runIn(netns, ['nft', '--debug=mnl', '-f', '-'], { input: commands })
  const sent = transcriptOf(parseTranscript(stdout + stderr))
  const head = `# nft --debug=mnl -f -\n${commands.trimEnd().replaceAll(/^/gm, '#   ')}\n`
  const file = `${import.meta.dirname}/../golden/nftables/${name}.hex`
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, head.replaceAll('#   ', '#     ') + sent)
  expect(sent.split('\n').filter((line) => line.startsWith('NEWRULE')).length).toBe(
    exhibit.table.chains.reduce((sum, { rules }) => sum + rules.length, 0),
  )
})

test.for(LOADABLE)('%s lists alike whether it came over netlink or as text', ([, exhibit]) => {
  const [ours, stock] = [makeNetns('ours'), makeNetns('stock')]
  apply(exhibit, ours)
  mustIn(stock, ['nft', '-f', '-'], { input: commandsOf(exhibit) })
  const text = listed(ours, '-s')
  expect(text).toContain(`table ${exhibit.table.family} ${exhibit.table.name}`)
  expect(text).toBe(listed(stock, '-s'))
  expect(json(ours)).toEqual(json(stock))
})

test.for(LOADABLE)('renderTable() of %s is what nft lists, and loads to the same again', ([, { table }]) => {
  const [ours, again] = [makeNetns('ours'), makeNetns('again')]
  apply({ table, elements: {} }, ours)
  expect(`${listed(ours, '-s')}\n`).toBe(renderTable(table))
  mustIn(again, ['nft', '-f', '-'], { input: renderTable(table) })
  expect(listed(again)).toBe(listed(ours))
})

const fingerprints = (instructions: readonly Instruction[]): string => instructions.map(fingerprintOf).join('\n')

test.for(LOADABLE)('the kernel dumps the rules of %s as they were compiled', ([, { table }]) => {
  const netns = makeNetns('nft')
  apply({ table, elements: {} }, netns)
  withKernel(pathOf(netns), (kernel) => {
    const found = dumpRules(kernel.netfilter('pod'), idOf(table))
    expect(found.map(({ instructions }) => fingerprints(instructions))).toEqual(
      table.chains.flatMap(({ rules }) => rules.map((rule) => fingerprints(compileRule(rule, table)))),
    )
  })
})

test.for(LOADABLE)('tableDrift() of %s finds nothing, also after nft loaded its listing again', ([, exhibit]) => {
  const netns = makeNetns('nft')
  const table = withLayout(exhibit.table)
  apply({ table, elements: {} }, netns)
  const drift = () => withKernel(pathOf(netns), (kernel) => tableDrift(kernel.netfilter('pod'), table))
  expect(drift()).toBeUndefined()
  const text = listed(netns)
  mustIn(netns, ['nft', '-f', '-'], { input: `flush ruleset\nadd table ip other\n${text}\n` })
  expect(drift()).toBeUndefined()
  mustIn(netns, ['nft', 'add', 'rule', table.family, table.name, table.chains.at(-1)?.name ?? '', 'counter'])
  expect(drift()).toMatch(/instead of/)
})

const shown = (spec: ElementSpec): string =>
  Object.entries(spec)
    .map(([key, each]) => `${key} ${typeof each === 'bigint' ? each : JSON.stringify(each)}`)
    .sort()
    .join(', ')
const sorted = (specs: readonly ElementSpec[]): readonly string[] => specs.map(shown).sort()

test.for(LOADABLE)('elements of %s come back from the kernel as they were sent', ([, { table, elements }]) => {
  const netns = makeNetns('nft')
  apply({ table, elements }, netns)
  withKernel(pathOf(netns), (kernel) => {
    for (const [set, list] of Object.entries(elements))
      expect(sorted(dumpElements(kernel.netfilter('pod'), idOf(table), set))).toEqual(
        sorted(elementSpecs(table, set, list)),
      )
  })
})

test('a transaction is refused when the ruleset changed after it was read, and changes nothing', () => {
  const netns = makeNetns('nft')
  const [, exhibit] = LOADABLE[1] ?? []
  if (exhibit === undefined) throw new Error('no exhibit')
  withKernel(pathOf(netns), (kernel) => {
    const socket = kernel.netfilter('pod')
    const generation = readGeneration(socket)
    mustIn(netns, ['nft', 'add', 'table', 'ip', 'other'])
    const messages = createTable(exhibit.table)
    expect(() => commit(socket, 'create', messages, generation)).toThrow(expect.objectContaining({ errno: 85 }))
    expect(listed(netns)).toBe('table ip other {\n}')
    commit(socket, 'create', messages, readGeneration(socket))
    expect(listed(netns)).toContain('showcase')
  })
})

test('a refused message takes the whole transaction with it, and is named by its index', () => {
  const netns = makeNetns('nft')
  const [, exhibit] = LOADABLE[1] ?? []
  if (exhibit === undefined) throw new Error('no exhibit')
  withKernel(pathOf(netns), (kernel) => {
    const socket = kernel.netfilter('pod')
    const twice = [...createTable(exhibit.table, true), ...createTable(exhibit.table, true)]
    const index = twice.length / 2
    expect(() => commit(socket, 'create', twice)).toThrow(expect.objectContaining({ errno: 17, index }))
    expect(listed(netns)).toBe('')
  })
})

/** Processor time of adding `count` elements in one transaction, in ms; they are all there afterwards. */
const costOf = (count: number): number => {
  const [, exhibit] = LOADABLE[0] ?? []
  if (exhibit === undefined) throw new Error('no exhibit')
  const { table } = exhibit
  const many = Array.from({ length: count }, (_, i) => ({
    key: ['tcp', i + 1],
    data: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 80],
    comment: `net/container-${i}/eth0`,
  }))
  const kernel = openKernel(pathOf(makeNetns('nft')))
  const socket = kernel.netfilter('pod')
  commit(socket, 'create', createTable(table))
  const start = process.cpuUsage()
  commit(socket, 'add', addElements(table, 'targets', many, true))
  const { user, system } = process.cpuUsage(start)
  expect(dumpElements(socket, idOf(table), 'targets')).toHaveLength(count)
  kernel.close()
  return (user + system) / 1000
}

test('50,000 elements go in, and come back, in one transaction, at a cost in proportion to their number', () => {
  costOf(5000)
  const few = Math.max(costOf(5000), 1)
  expect(costOf(50_000) / few).toBeLessThan(40)
})
