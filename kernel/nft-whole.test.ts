import { expect, test } from 'vitest'
import { EBUSY, ENOENT, EOPNOTSUPP, NetlinkError } from '../netlink/error.ts'
import type { Message } from '../netlink/message.ts'
import type { Kernel } from './kernel.ts'
import { type NftTableFact, nftTableOperations } from './nft-whole.ts'

const FACT: NftTableFact = {
  kind: 'nft-table',
  ns: 'node',
  table: { family: 'inet', name: 'own', sets: [], chains: [] },
}

/** One that answers the first message of a transaction with `errno`; the others are not looked at then. */
const refusing = (errno: number): Kernel => {
  const exchange = (messages: readonly Message[]) =>
    messages.map((_, i) => ({ errno: i === 0 ? errno : 0, extack: '', messages: [] }))
  return { netfilter: () => ({ exchange }) } as unknown as Kernel
}

test.for([
  ['no such table', ENOENT],
  ['a kernel without nftables (net/netfilter/nfnetlink.c nfnetlink_rcv_batch)', EOPNOTSUPP],
] as const)('a table is gone: %s', ([, errno]) => {
  expect(() => nftTableOperations.remove(FACT, refusing(errno))).not.toThrow()
})

test('a table that cannot be removed is named', () =>
  expect(() => nftTableOperations.remove(FACT, refusing(EBUSY))).toThrow(NetlinkError))
