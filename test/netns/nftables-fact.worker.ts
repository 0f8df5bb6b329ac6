/** One of several processes that work in one table at once: adds an element that stays, then adds and removes others, and
 *  sweeps the table of an absent network, so that the table itself comes and goes. Arguments: NETNS ID. */
import { withKernel } from '../../kernel/kernel.ts'
import { type NftFact, nftOperations } from '../../kernel/nft.ts'
import { sweepNft } from '../../kernel/nft-owned.ts'
import { commentOf } from '../../kernel/owner.ts'
import { FACT_TABLE } from './nftables-fact.table.ts'

const [, , netns = '', id = '0'] = process.argv

const fact = (containerID: string, network: string, port: number): NftFact => ({
  kind: 'nft',
  ns: 'pod',
  table: FACT_TABLE,
  elements: [
    {
      set: 'ports',
      key: ['tcp', port],
      data: ['10.0.0.2', 80],
      comment: commentOf({ network, containerID, ifName: 'eth0' }),
    },
  ],
})

withKernel(netns, (kernel) => {
  for (let round = 0; round < 40; round++) {
    const passing = fact(`pass-${id}-${round}`, 'gone', 1000 + Number(id) * 100 + round)
    nftOperations.ensure(passing, kernel)
    if (round % 2 === 0) nftOperations.remove(passing, kernel)
    sweepNft(kernel, 'pod', FACT_TABLE, 'gone', [])
  }
  nftOperations.ensure(fact(`keep-${id}`, 'net', 1 + Number(id)), kernel)
  sweepNft(kernel, 'pod', FACT_TABLE, 'gone', [])
})
