import { expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { parseTable } from '../../netfilter/iptables-table.ts'
import { recordChainOf } from './plan-iptables.ts'
import { releaseLines } from './release-iptables.ts'

const chainOf = (containerID: string) => recordChainOf({ network: 'net', containerID, ifName: 'eth0' })
const ownerOf = (containerID: string) => `net/${containerID}/eth0`

const COMMENT = '-m comment --comment "CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)"'
const recordsOf = (id: string, source: string, bridge = 'br0') => `:${chainOf(id)} - [0:0]
-A ${chainOf(id)} -s ${source} -m comment --comment "${ownerOf(id)}"
-A ${chainOf(id)} -i ${bridge} -m comment --comment "${ownerOf(id)}"
`
const acceptOf = (source: string) => `-A CNI-FORWARD -d ${source} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A CNI-FORWARD -s ${source} -j ACCEPT
`
const BASE = `:FORWARD ACCEPT [0:0]
:CNI-ADMIN - [0:0]
:CNI-FORWARD - [0:0]
:CNI-ISOLATION-STAGE-1 - [0:0]
:CNI-ISOLATION-STAGE-2 - [0:0]
-A FORWARD ${COMMENT} -j CNI-ISOLATION-STAGE-1
-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
-A CNI-ISOLATION-STAGE-1 -i br0 ! -o br0 ${COMMENT} -j CNI-ISOLATION-STAGE-2
-A CNI-ISOLATION-STAGE-1 ${COMMENT} -j RETURN
-A CNI-ISOLATION-STAGE-2 -o br0 ${COMMENT} -j DROP
-A CNI-ISOLATION-STAGE-2 ${COMMENT} -j RETURN
`
const ISOLATION = [
  `-D CNI-ISOLATION-STAGE-1 -i br0 ! -o br0 ${COMMENT} -j CNI-ISOLATION-STAGE-2`,
  `-D CNI-ISOLATION-STAGE-2 -o br0 ${COMMENT} -j DROP`,
]
const deletion = (source: string) =>
  acceptOf(source)
    .trim()
    .split('\n')
    .map((line) => line.replace('-A', '-D'))
const A = '10.0.0.1/32'
const B = '10.0.0.2/32'

const release = (text: string, more: Partial<Parameters<typeof releaseLines>[1]> = {}) =>
  releaseLines(parseTable(text), { isGone: (owner) => owner === ownerOf('a'), known: [], andChains: false, ...more })
const dropOf = (id: string) => [`-F ${chainOf(id)}`, `-X ${chainOf(id)}`]

test('the last attachment to a bridge takes the isolation of the bridge along', () => {
  const both = BASE + recordsOf('a', A) + recordsOf('b', B) + acceptOf(A) + acceptOf(B)
  expect(release(both)).toEqual([...deletion(A), ...dropOf('a')])
  const alone = BASE + recordsOf('a', A) + recordsOf('b', B, 'br1') + acceptOf(A) + acceptOf(B)
  expect(release(alone)).toEqual([...deletion(A), ...ISOLATION, ...dropOf('a')])
})

test('the last isolated attachment leaves the others of its bridge the milder policy', () => {
  const inside = `-A CNI-ISOLATION-STAGE-1 -i br0 -o br0 ${COMMENT} -j DROP`
  const isolated = recordsOf('a', A).replace('-i br0', '-i br0 -o br0')
  const text = [BASE + inside, isolated + recordsOf('b', B) + acceptOf(A) + acceptOf(B)].join('\n')
  expect(release(text)).toEqual([...deletion(A), inside.replace('-A', '-D'), ...dropOf('a')])
  const stays = text.replace(
    `-i br0 -m comment --comment "${ownerOf('b')}"`,
    `-i br0 -o br0 -m comment --comment "${ownerOf('b')}"`,
  )
  expect(release(stays)).toEqual([...deletion(A), ...dropOf('a')])
})

test('an address without a record may be a pod of the reference plugin on the same bridge', () => {
  expect(release(BASE + recordsOf('a', A) + acceptOf(A) + acceptOf(B))).toEqual([...deletion(A), ...dropOf('a')])
})

test('an address of prevResult goes, unless somebody who stays has recorded it', () => {
  const known = [parseCidr(B)]
  expect(release(BASE + acceptOf(B), { known })).toEqual(deletion(B))
  expect(release(BASE + recordsOf('b', B) + acceptOf(B), { known })).toEqual([])
})

test('nothing of ours: nothing to do', () => {
  expect(release(BASE)).toEqual([])
  expect(release(':FORWARD ACCEPT [0:0]\n', { known: [parseCidr(B)], andChains: true })).toEqual([])
})

test('GC takes the chains away with the last attachment, but not those of an administrator', () => {
  const last = BASE + recordsOf('a', A) + acceptOf(A)
  const chains = ['CNI-FORWARD', 'CNI-ISOLATION-STAGE-1', 'CNI-ISOLATION-STAGE-2', 'CNI-ADMIN']
  const lines = release(last, { andChains: true })
  expect(lines.filter((line) => line.startsWith('-X'))).toEqual([
    dropOf('a')[1],
    ...chains.map((chain) => `-X ${chain}`),
  ])
  expect(lines).toContain('-D FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD')
  expect(new Set(lines).size).toBe(lines.length)
  const admin = `${last}-A CNI-ADMIN -s 192.0.2.1/32 -j DROP\n`
  expect(release(admin, { andChains: true })).toEqual([...deletion(A), ...ISOLATION, ...dropOf('a')])
  const other = last + recordsOf('b', B)
  expect(release(other, { andChains: true }).filter((line) => line.startsWith('-X'))).toEqual([dropOf('a')[1]])
})
