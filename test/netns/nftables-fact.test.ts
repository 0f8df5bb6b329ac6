/** nft facts on a real kernel: who may hold an element, what stays, what is put right. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { type NftElement, type NftFact, nftOperations } from '../../kernel/nft.ts'
import { ownersIn, removeOwned, sweepNft } from '../../kernel/nft-owned.ts'
import { commentOf, type Owner } from '../../kernel/owner.ts'
import { meta } from '../../netfilter/expression.ts'
import type { Table } from '../../netfilter/ruleset.ts'
import { differs, rule } from '../../netfilter/statement.ts'
import { makeNetns, mustIn, pathOf, runIn, shellIn } from '../support/netns.ts'
import { FACT_TABLE } from './nftables-fact.table.ts'

const TABLE = FACT_TABLE

const owner = (containerID: string, network = 'net'): Owner => ({ network, containerID, ifName: 'eth0' })

const port = (who: Owner, hostPort: number, to: string): NftElement => ({
  set: 'ports',
  key: ['tcp', hostPort],
  data: [to, 80],
  comment: commentOf(who),
  label: `host port ${hostPort}/tcp`,
})

const fact = (...elements: readonly NftElement[]): NftFact => ({ kind: 'nft', ns: 'pod', table: TABLE, elements })

/** A new namespace, and the kernel seen from it. */
const inNetns = <T>(use: (kernel: Kernel, netns: string) => T): T => {
  const netns = makeNetns('nft')
  return withKernel(pathOf(netns), (kernel) => use(kernel, netns))
}
const listed = (netns: string): string => mustIn(netns, ['nft', '-s', 'list', 'ruleset'])
const { ensure, remove, drift } = nftOperations

test('ensure() makes the table and the elements; a second time it changes nothing and says so', () => {
  inNetns((kernel, netns) => {
    const want = fact(port(owner('a'), 8080, '10.0.0.2'))
    expect(ensure(want, kernel)).toBe(true)
    const first = listed(netns)
    expect(first).toContain('tcp . 8080 comment "net/a/eth0" : 10.0.0.2 . 80')
    expect(ensure(want, kernel)).toBe(false)
    expect(listed(netns)).toBe(first)
    expect(drift(want, kernel)).toBeUndefined()
  })
})

test('ensure() refuses an element that another owner holds, names it, and adds nothing', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2')), kernel)
    const before = listed(netns)
    const want = fact(port(owner('b'), 8081, '10.0.0.3'), port(owner('b'), 8080, '10.0.0.3'))
    expect(() => ensure(want, kernel)).toThrow(
      expect.objectContaining({ code: 103, message: 'host port 8080/tcp is held by net/a/eth0' }),
    )
    expect(listed(netns)).toBe(before)
    expect(drift(want, kernel)).toBe('host port 8081/tcp is missing')
  })
})

test('ensure() leads its own element elsewhere and adds what is missing', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2')), kernel)
    const want = fact(port(owner('a'), 8080, '10.0.0.9'), port(owner('a'), 8081, '10.0.0.9'))
    expect(drift(want, kernel)).toBe('host port 8080/tcp leads elsewhere')
    expect(ensure(want, kernel)).toBe(false)
    expect(listed(netns)).toContain('tcp . 8080 comment "net/a/eth0" : 10.0.0.9 . 80')
    expect(drift(want, kernel)).toBeUndefined()
  })
})

test('remove() takes its own elements and no other; absent is success', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2'), port(owner('a'), 8081, '10.0.0.2')), kernel)
    remove(fact(port(owner('b'), 8080, '10.0.0.2')), kernel)
    expect(listed(netns)).toContain('tcp . 8080')
    remove(fact(port(owner('a'), 8080, '10.0.0.2'), port(owner('a'), 9999, '10.0.0.2')), kernel)
    expect(listed(netns)).not.toContain('tcp . 8080')
    expect(listed(netns)).toContain('tcp . 8081')
    remove(fact(port(owner('a'), 8080, '10.0.0.2')), kernel)
    shellIn(netns, 'nft delete table inet podwire-test')
    remove(fact(port(owner('a'), 8080, '10.0.0.2')), kernel)
  })
})

const intervals = (who: Owner): readonly NftElement[] => [
  { set: 'subnets', key: ['10.0.0.2', '10.0.0.0/24'], comment: commentOf(who) },
  { set: 'ranges', key: ['10.1.0.0/24'], comment: commentOf(who) },
  { set: 'ranges', key: [{ from: '10.1.1.0', to: '10.1.1.9' }], comment: commentOf(who) },
]

test('elements that are intervals are added, found, kept from others and removed whole', () => {
  inNetns((kernel, netns) => {
    const want = fact(...intervals(owner('a')))
    ensure(want, kernel)
    expect(listed(netns)).toContain('10.1.0.0/24 comment "net/a/eth0"')
    expect(listed(netns)).toContain('10.0.0.2 . 10.0.0.0/24 comment "net/a/eth0"')
    expect(drift(want, kernel)).toBeUndefined()
    for (const element of intervals(owner('b')))
      expect(() => ensure(fact(element), kernel)).toThrow(expect.objectContaining({ code: 103 }))
    remove(want, kernel)
    expect(listed(netns)).not.toContain('elements')
  })
})

test('a concatenated interval that overlaps another owner’s is refused with the name of the holder', () => {
  inNetns((kernel) => {
    ensure(fact(...intervals(owner('a'))), kernel)
    const wider: NftElement = { set: 'subnets', key: ['10.0.0.2', '10.0.0.0/16'], comment: commentOf(owner('b')) }
    expect(() => ensure(fact(wider), kernel)).toThrow(/is held by net\/a\/eth0/)
  })
})

const DAMAGE: readonly (readonly [string, string, RegExp])[] = [
  ['a deleted table', 'nft delete table inet podwire-test', /^nft table inet podwire-test is missing$/],
  ['a flushed chain', 'nft flush chain inet podwire-test prerouting', /prerouting .* holds 0 rules instead of 3/],
  ['an added rule', 'nft insert rule inet podwire-test prerouting accept', /holds 4 rules instead of 3/],
  [
    'a changed rule',
    'h=$(nft -a list chain inet podwire-test prerouting | sed -n "s/.*@ports # handle //p"); ' +
      'nft replace rule inet podwire-test prerouting handle $h accept',
    /has another rule 1$/,
  ],
  ['a flushed map', 'nft flush map inet podwire-test ports', /^host port 8080\/tcp is missing$/],
  [
    'an element that leads elsewhere',
    'nft flush map inet podwire-test ports; ' +
      'nft add element inet podwire-test ports "{ tcp . 8080 comment \\"net/a/eth0\\" : 10.0.0.7 . 80 }"',
    /^host port 8080\/tcp leads elsewhere$/,
  ],
]
test.for(DAMAGE)('drift() finds %s', ([, script, why]) => {
  inNetns((kernel, netns) => {
    const want = fact(port(owner('a'), 8080, '10.0.0.2'))
    ensure(want, kernel)
    shellIn(netns, script)
    expect(drift(want, kernel)).toMatch(why)
  })
})

test('drift() is blind to counters that moved', () => {
  inNetns((kernel, netns) => {
    const counting: Table = {
      ...TABLE,
      chains: [{ ...(TABLE.chains[0] ?? { name: '', rules: [] }), name: 'output', rules: [rule({ kind: 'counter' })] }],
    }
    const want: NftFact = { kind: 'nft', ns: 'pod', table: withHook(counting), elements: [] }
    ensure(want, kernel)
    shellIn(netns, 'ip link set lo up; ping -qc1 -W1 127.0.0.1 >/dev/null')
    expect(mustIn(netns, ['nft', 'list', 'ruleset'])).toMatch(/counter packets [1-9]/)
    expect(drift(want, kernel)).toBeUndefined()
  })
})
const withHook = (table: Table): Table => ({
  ...table,
  chains: table.chains.map((chain) => ({ ...chain, base: { type: 'filter', hook: 'output', priority: 0 } })),
})

test('a table of another layout is replaced in one transaction, and its elements stay', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2'), ...intervals(owner('a'))), kernel)
    const [chain] = TABLE.chains
    const newer: Table = {
      ...TABLE,
      sets: [...TABLE.sets, { name: 'more', key: ['ifname'] }],
      chains: [
        { ...chain, name: 'prerouting', rules: [rule(differs(meta('iifname'), 'lo')), ...(chain?.rules ?? [])] },
      ],
    }
    const want: NftFact = { ...fact(port(owner('b'), 8081, '10.0.0.3')), table: newer }
    expect(ensure(want, kernel)).toBe(true)
    const text = listed(netns)
    expect(text).toContain('set more')
    expect(text).toContain('iifname != "lo"')
    expect(text).toContain('tcp . 8080 comment "net/a/eth0" : 10.0.0.2 . 80')
    expect(text).toContain('tcp . 8081 comment "net/b/eth0" : 10.0.0.3 . 80')
    expect(text).toContain('10.1.0.0/24 comment "net/a/eth0", 10.1.1.0-10.1.1.9 comment "net/a/eth0"')
    expect(drift(want, kernel)).toBeUndefined()
    expect(() => ensure({ ...fact(port(owner('c'), 8080, '10.0.0.4')), table: newer }, kernel)).toThrow(/net\/a\/eth0/)
  })
})

test('an element held by another is refused by a table of another layout too, which is replaced all the same', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2')), kernel)
    const newer: Table = { ...TABLE, sets: [...TABLE.sets, { name: 'more', key: ['ifname'] }] }
    expect(() => ensure({ ...fact(port(owner('b'), 8080, '10.0.0.3')), table: newer }, kernel)).toThrow(/net\/a\/eth0/)
    expect(listed(netns)).toContain('tcp . 8080 comment "net/a/eth0" : 10.0.0.2 . 80')
  })
})

test('removeOwned() finds elements by owner in every set; ownersIn() lists owners by prefix', () => {
  inNetns((kernel, netns) => {
    ensure(fact(port(owner('a'), 8080, '10.0.0.2'), ...intervals(owner('a'))), kernel)
    ensure(fact(port(owner('b'), 8081, '10.0.0.3')), kernel)
    ensure(fact(port(owner('c', 'other'), 8082, '10.0.0.4')), kernel)
    expect(ownersIn(kernel, 'pod', TABLE, 'net/').sort()).toEqual(['net/a/eth0', 'net/b/eth0'])
    removeOwned(kernel, 'pod', TABLE, owner('a'))
    expect(listed(netns).match(/net\/a|elements/g)).toEqual(['elements'])
    expect(ownersIn(kernel, 'pod', TABLE, '').sort()).toEqual(['net/b/eth0', 'other/c/eth0'])
    removeOwned(kernel, 'pod', { family: 'inet', name: 'absent' }, owner('a'))
  })
})

test('sweepNft() keeps valid attachments and other networks; when nothing is left the table goes', () => {
  inNetns((kernel, netns) => {
    for (const [id, hostPort] of [
      ['a', 1],
      ['b', 2],
    ] as const)
      ensure(fact(port(owner(id), hostPort, '10.0.0.2')), kernel)
    ensure(fact(port(owner('c', 'other'), 3, '10.0.0.4'), ...intervals(owner('c', 'other'))), kernel)
    sweepNft(kernel, 'pod', TABLE, 'net', [{ containerID: 'a', ifName: 'eth0' }])
    expect(ownersIn(kernel, 'pod', TABLE, '').sort()).toEqual(['net/a/eth0', 'other/c/eth0'])
    sweepNft(kernel, 'pod', TABLE, 'net', [])
    expect(ownersIn(kernel, 'pod', TABLE, '')).toEqual(['other/c/eth0'])
    sweepNft(kernel, 'pod', TABLE, 'other', [])
    expect(listed(netns)).toBe('')
    sweepNft(kernel, 'pod', TABLE, 'other', [])
  })
})

test('what render() prints loads with nft and makes what ensure() makes', () => {
  const want = fact(port(owner('a'), 8080, '10.0.0.2'), ...intervals(owner('a')))
  const ours = inNetns((kernel, netns) => {
    ensure(want, kernel)
    return listed(netns)
  })
  const netns = makeNetns('nft')
  shellIn(netns, nftOperations.render(want))
  expect(listed(netns)).toBe(ours)
})

const WORKER = `${import.meta.dirname}/nftables-fact.worker.ts`
const finished = (argv: readonly string[]): Promise<string> =>
  new Promise((resolve) => {
    const [file = '', ...args] = argv
    const child = spawn(file, args)
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (said += String(bytes)))
    child.on('close', (status) => resolve(status === 0 ? '' : `${status} ${said}`))
  })

test('processes that make the same table at once, add, remove and sweep all succeed, and nothing is lost', async () => {
  const netns = makeNetns('nft')
  const argv = (id: number) => ['npx', 'tsx', WORKER, pathOf(netns), String(id)]
  expect(await Promise.all(Array.from({ length: 6 }, (_, id) => finished(argv(id))))).toEqual(Array(6).fill(''))
  withKernel(pathOf(netns), (kernel) =>
    expect(ownersIn(kernel, 'pod', TABLE, '').sort()).toEqual(
      Array.from({ length: 6 }, (_, id) => `net/keep-${id}/eth0`),
    ),
  )
  expect(runIn(netns, ['nft', 'list', 'ruleset']).stdout.match(/dnat ip to/g)).toHaveLength(1)
})
