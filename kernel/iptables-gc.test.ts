import { expect, test } from 'vitest'
import { parseTable } from '../netfilter/iptables-table.ts'
import { holdingsOf } from './iptables-gc.ts'

const OURS = 'CNI-0123456789abcdef01234567'
const THEIRS = 'CNI-DN-0123456789abcdef01234'

test('holdingsOf() tells whose the chains are, ours by their records and the reference plugins by their comments', () => {
  const table = parseTable(`:POSTROUTING ACCEPT [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:${OURS} - [0:0]
:${THEIRS} - [0:0]
-A POSTROUTING -m comment --comment "name: \\"net\\" id: \\"other\\"" -j X
-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \\"net\\" id: \\"b\\"" -j ${THEIRS}
-A ${OURS} -d 10.0.0.0/24 -m comment --comment "name: \\"net\\" id: \\"a\\"" -j ACCEPT
-A ${OURS} -s 10.0.0.1/32 -m comment --comment "net/a/eth0"
-A ${OURS} -s 10.0.0.2/32 -m comment --comment "net/a/eth1"
-A ${THEIRS} -m comment --comment "name: \\"net\\" id: \\"b\\"" -j DNAT
`)
  expect(holdingsOf('net', table)).toEqual([
    { chain: OURS, containerID: 'a', ifName: 'eth0' },
    { chain: OURS, containerID: 'a', ifName: 'eth1' },
    { chain: THEIRS, containerID: 'b', ifName: '' },
  ])
  expect(holdingsOf('ne', table)).toEqual([])
})
