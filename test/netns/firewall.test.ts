/** firewall as an executable: nftables and the choice of a backend. */
import { beforeAll, expect, test } from 'vitest'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, mustIn, shellIn } from '../support/netns.ts'
import { OUTSIDE_IPV4 } from '../support/node.ts'
import { ping, waitFor } from '../support/probe.ts'
import { type Bed, call, gc, makeBed, must, prevResultOf } from './firewall.bed.ts'

const NFT = { backend: 'nftables' }
const ruleset = (node: string): string => mustIn(node, ['nft', '-s', 'list', 'ruleset'])

let bed: Bed
beforeAll(() => {
  bed = makeBed()
  // the bridges' IPv6 addresses are usable a second or two after their ports came up
  expect(waitFor(() => Object.values(reach(bed)).every(Boolean), 20_000)).toBe(true)
})

test('nftables: ADD passes the result on, CHECK holds, DEL and GC leave nothing', () => {
  const before = snapshot(bed.node)
  expect(must(bed, 'ADD', bed.a, NFT)).toEqual({ cniVersion: '1.1.0', ...prevResultOf(bed.a) })
  const found = ruleset(bed.node)
  expect(found).toContain('10.1.0.2 . "br0" comment "net/a/eth0"')
  expect(found).toContain('fd01::2 . "br0" comment "net/a/eth0"')
  expect(call(bed, 'CHECK', bed.a, NFT)).toMatchObject({ status: 0, stdout: '' })
  must(bed, 'DEL', bed.a, NFT)
  expect(ruleset(bed.node)).not.toContain('net/a/eth0')
  expect(call(bed, 'CHECK', bed.a, NFT)).toMatchObject({ status: 1, json: { code: 100 } })
  must(bed, 'DEL', bed.a, NFT)
  gc(bed, NFT)
  expect(difference(before, snapshot(bed.node))).toEqual([])
})

test.for([
  ['an element is deleted', 'nft flush set inet podwire-firewall pod-ips'],
  ['a chain is flushed', 'nft flush chain inet podwire-firewall ingress-policy'],
  ['the table is deleted', 'nft delete table inet podwire-firewall'],
  ['a bridge lost its policy', 'nft flush set inet podwire-firewall isolated-bridges'],
  ['a port is reachable again', 'nft flush set bridge podwire-firewall isolated-ports'],
  ['the bridge table is deleted', 'nft delete table bridge podwire-firewall'],
] as const)('nftables: CHECK fails when %s', ([, script]) => {
  const keys = { ...NFT, ingressPolicy: 'isolated' }
  must(bed, 'ADD', bed.a, keys)
  expect(call(bed, 'CHECK', bed.a, keys).status).toBe(0)
  shellIn(bed.node, script)
  expect(call(bed, 'CHECK', bed.a, keys)).toMatchObject({ status: 1, json: { code: 100 } })
  must(bed, 'DEL', bed.a, keys)
  gc(bed, NFT)
})

/** Who reaches whom: a to b, a to c, c to a, outside to a, a to its gateway; in both families where there are two. */
const reach = ({ a, b, c, outside }: Bed): Record<string, boolean> => ({
  'a-b': ping(a.netns, b.ipv4),
  'a-b6': ping(a.netns, b.ipv6),
  'a-c': ping(a.netns, c.ipv4),
  'a-c6': ping(a.netns, c.ipv6),
  'c-a': ping(c.netns, a.ipv4),
  'outside-a': ping(outside, a.ipv4),
  'a-outside': ping(a.netns, OUTSIDE_IPV4),
  'a-gateway': ping(a.netns, '10.1.0.1'),
})
const ALL = {
  'a-b': true,
  'a-b6': true,
  'a-c': true,
  'a-c6': true,
  'c-a': true,
  'outside-a': true,
  'a-outside': true,
  'a-gateway': true,
}
const APART = { ...ALL, 'a-c': false, 'a-c6': false, 'c-a': false }
const ALONE = { ...APART, 'a-b': false, 'a-b6': false }

const REACH: readonly (readonly [backend: string, ingressPolicy: string, filtered: number, expected: object])[] = [
  ['nftables', 'open', 1, ALL],
  ['nftables', 'same-bridge', 1, APART],
  ['nftables', 'isolated', 1, ALONE],
  ['nftables', 'isolated', 0, ALONE],
  ['iptables', 'same-bridge', 1, APART],
  ['iptables', 'isolated', 1, ALONE],
]

test.for(REACH)(
  '%s: ingressPolicy %s lets through what it should (bridge-nf-call-iptables=%s)',
  ([backend, ingressPolicy, filtered, expected]) => {
    const keys = { backend, ingressPolicy }
    shellIn(
      bed.node,
      `sysctl -qw net.bridge.bridge-nf-call-iptables=${filtered} net.bridge.bridge-nf-call-ip6tables=${filtered}`,
    )
    const before = reach(bed)
    expect(before).toEqual(ALL)
    for (const pod of [bed.a, bed.b, bed.c]) must(bed, 'ADD', pod, keys)
    expect(reach(bed)).toEqual(expected)
    must(bed, 'DEL', bed.b, keys)
    if (ingressPolicy !== 'open') expect(ping(bed.a.netns, bed.c.ipv4)).toBe(false)
    for (const pod of [bed.a, bed.c]) must(bed, 'DEL', pod, { ...keys, prevResult: undefined })
    expect(reach(bed)).toEqual(ALL)
    gc(bed, keys)
  },
)

test('nftables: two policies on one bridge: the stricter one holds until its last attachment goes', () => {
  must(bed, 'ADD', bed.a, { ...NFT, ingressPolicy: 'isolated' })
  must(bed, 'ADD', bed.b, { ...NFT, ingressPolicy: 'same-bridge' })
  expect(ping(bed.a.netns, bed.b.ipv4)).toBe(false)
  must(bed, 'DEL', bed.a, NFT)
  expect(ping(bed.a.netns, bed.b.ipv4)).toBe(true)
  expect(ruleset(bed.node)).toContain('elements = { "br0" comment "podwire" }')
  must(bed, 'DEL', bed.b, NFT)
  expect(ruleset(bed.node)).not.toContain('comment "podwire" }')
  gc(bed, NFT)
})

test("nftables: the administrator's verdicts come first, and GC leaves them", () => {
  const keys = { ...NFT, ingressPolicy: 'same-bridge' }
  for (const pod of [bed.a, bed.c]) must(bed, 'ADD', pod, keys)
  expect(ping(bed.a.netns, bed.c.ipv4)).toBe(false)
  const any = '0-255 . 0-65535'
  shellIn(
    bed.node,
    `nft add element inet podwire-firewall admin-ips '{ 10.1.0.2 . 10.2.0.0/24 . ${any} : accept, 10.2.0.2 . 10.1.0.2 . ${any} : accept }'
     nft add element inet podwire-firewall admin-ips '{ 10.1.0.0/24 . ${OUTSIDE_IPV4} . ${any} : drop }'`,
  )
  expect([ping(bed.a.netns, bed.c.ipv4), ping(bed.a.netns, OUTSIDE_IPV4)]).toEqual([true, false])
  for (const pod of [bed.a, bed.c]) must(bed, 'DEL', pod, keys)
  gc(bed, NFT)
  expect(ruleset(bed.node)).toContain('10.1.0.2 . 10.2.0.0/24 . 0-255 . 0-65535 : accept')
  shellIn(bed.node, 'nft flush map inet podwire-firewall admin-ips')
  gc(bed, NFT)
  expect(ruleset(bed.node)).not.toContain('podwire-firewall')
})

test("nftables: a table of another version is replaced, and the administrator's verdicts and the pods stay", () => {
  const node = makeNetns('fw-older')
  const older = `table inet podwire-firewall {
    comment "podwire, layout of old";
    map admin-ips { type ipv4_addr . ipv4_addr . inet_proto . inet_service : verdict; flags interval;
      elements = { 10.1.0.2 . 10.2.0.0/24 . 6 . 80-90 : drop, 10.1.0.0/16 . 0.0.0.0/0 . 0-255 . 0-65535 : accept }; }
    set pod-ips { type ipv4_addr . ifname; elements = { 10.1.0.9 . "br0" comment "net/old/eth0" }; }
    chain gone { type filter hook forward priority 5; }
  }`
  mustIn(node, ['nft', '-f', '-'], { input: older })
  must({ ...bed, node }, 'ADD', bed.a, NFT)
  const found = ruleset(node)
  for (const kept of [
    '10.1.0.2 . 10.2.0.0/24 . tcp . 80-90 : drop',
    '10.1.0.9 . "br0" comment "net/old/eth0"',
    '10.1.0.2 . "br0"',
  ])
    expect(found).toContain(kept)
  expect([found.includes('chain gone'), found.includes('chain ingress-policy')]).toEqual([false, true])
  expect(call({ ...bed, node }, 'CHECK', bed.a, NFT).status).toBe(0)
})

test('nftables: GC removes whom the list does not name, of this network', () => {
  for (const pod of [bed.a, bed.b]) must(bed, 'ADD', pod, NFT)
  must(bed, 'ADD', bed.c, { ...NFT, name: 'other' })
  gc(bed, NFT, bed.a)
  const found = ruleset(bed.node)
  expect(['net/a/eth0', 'net/b/eth0', 'other/c/eth0'].map((owner) => found.includes(owner))).toEqual([
    true,
    false,
    true,
  ])
  gc(bed, { ...NFT, name: 'other' })
  gc(bed, NFT)
  expect(ruleset(bed.node)).not.toContain('podwire-firewall')
})

test.for([
  ['nothing asks for another', ':', {}, 'nftables'],
  ['FORWARD drops', 'iptables-nft -P FORWARD DROP', {}, 'iptables'],
  ['FORWARD ends in a REJECT', 'iptables-nft -A FORWARD -m comment --comment x -j REJECT', {}, 'iptables'],
  ['FORWARD drops IPv6', 'ip6tables-nft -P FORWARD DROP', {}, 'iptables'],
  ['FORWARD drops something', 'iptables-nft -A FORWARD -s 1.2.3.4 -j DROP', {}, 'nftables'],
  ['CNI-ADMIN has rules', 'iptables-nft -N CNI-ADMIN; iptables-nft -A CNI-ADMIN -s 1.2.3.4 -j DROP', {}, 'iptables'],
  ['iptables-legacy is in use', 'iptables-legacy -A FORWARD -s 1.2.3.4 -j DROP', {}, 'iptables'],
  ['the configuration names a chain of iptables', ':', { iptablesAdminChainName: 'MINE' }, 'iptables'],
  ['the configuration says so', 'iptables-nft -P FORWARD DROP', { backend: 'nftables' }, 'nftables'],
] as const)('the backend when %s', ([, script, keys, backend]) => {
  const node = makeNetns('fw-choice')
  shellIn(node, script)
  const here = { ...bed, node }
  must(here, 'ADD', bed.a, keys)
  const used = ruleset(node).includes('table inet podwire-firewall') ? 'nftables' : 'iptables'
  expect(used).toBe(backend)
  expect(call(here, 'CHECK', bed.a, keys)).toMatchObject({ status: 0, stdout: '' })
  const rules = shellIn(node, 'nft list ruleset; iptables-legacy-save')
  expect(rules).toContain('10.1.0.2')
  must(here, 'DEL', bed.a, { ...keys, prevResult: undefined }, { netns: '/run/netns/pw-gone' })
  expect(shellIn(node, 'nft list ruleset; iptables-legacy-save')).not.toContain('10.1.0.2')
})

test('CHECK finds the attachment where ADD put it, although the node would choose otherwise now', () => {
  const node = makeNetns('fw-later')
  const here = { ...bed, node }
  must(here, 'ADD', bed.a, {})
  shellIn(node, 'iptables-nft -P FORWARD DROP')
  expect(call(here, 'CHECK', bed.a, {}).status).toBe(0)
  shellIn(node, 'nft delete table inet podwire-firewall')
  expect(call(here, 'CHECK', bed.a, {})).toMatchObject({ status: 1, json: { code: 100 } })
})

test.for([
  ['nothing is in the way', ':', NFT, 0],
  [
    'another table drops',
    'nft add table inet x; nft add chain inet x f "{ type filter hook forward priority 0; policy drop; }"',
    NFT,
    51,
  ],
  [
    'another table rejects last',
    'nft add table ip x; nft add chain ip x f "{ type filter hook forward priority 0; }"; nft add rule ip x f counter reject',
    NFT,
    51,
  ],
  ['iptables drops', 'iptables-nft -P FORWARD DROP', NFT, 51],
  ['iptables drops and is chosen', 'iptables-nft -P FORWARD DROP', {}, 0],
  ['firewalld is asked for and does not run', ':', { backend: 'firewalld' }, 50],
  [
    'iptables cannot isolate',
    'sysctl -qw net.bridge.bridge-nf-call-iptables=0',
    { backend: 'iptables', ingressPolicy: 'isolated' },
    50,
  ],
  [
    'nftables can',
    'sysctl -qw net.bridge.bridge-nf-call-iptables=0',
    { backend: 'nftables', ingressPolicy: 'isolated' },
    0,
  ],
] as const)('STATUS when %s', ([, script, keys, code]) => {
  const node = makeNetns('fw-status')
  shellIn(node, script)
  const { status, json } = call({ ...bed, node }, 'STATUS', bed.a, { ...keys, prevResult: undefined })
  expect({ status, code: (json as { code?: number } | undefined)?.code ?? 0 }).toEqual({
    status: code === 0 ? 0 : 1,
    code,
  })
})

test('ADD refuses a list without an interface of the node where a policy needs one, and an odd name', () => {
  const prevResult = { interfaces: [{ name: 'eth0', sandbox: '/ns' }], ips: [] }
  expect(call(bed, 'ADD', bed.a, { ...NFT, prevResult }).status).toBe(0)
  const refused = call(bed, 'ADD', bed.a, { ...NFT, ingressPolicy: 'isolated', prevResult })
  expect(refused).toMatchObject({
    status: 1,
    json: { code: 7, msg: expect.stringContaining('ingressPolicy "isolated"') },
  })
  const odd = { interfaces: [{ name: 'br0" drop' }], ips: [] }
  expect(call(bed, 'ADD', bed.a, { ...NFT, prevResult: odd })).toMatchObject({ status: 1, json: { code: 7 } })
  gc(bed, NFT)
})
