import { expect, test } from 'vitest'
import { parseCidr } from '../../../addr/cidr.ts'
import type { Lease } from '../../../overlay/lease.ts'
import { encodeLease } from '../../../overlay/lease-value.ts'
import { StoreError } from '../store.ts'
import type { EtcdClient } from './client.ts'
import { keysOf } from './keys.ts'
import { heldOf, openTable } from './table.ts'

const LEASE: Lease = {
  key: '10.5.1.0-24',
  subnet: parseCidr('10.5.1.0/24'),
  backendType: 'host-gw',
  data: {},
  v6Data: {},
}
const TERM = 7n
const kvOf = (lease: bigint) => ({
  key: `/net/subnets/${LEASE.key}`,
  value: encodeLease(LEASE),
  create_revision: 1n,
  mod_revision: 2n,
  version: 1n,
  lease,
})

/** An etcd whose answer to a write is `answer`, and that holds the key under the lease `under` afterwards; it says no more
 *  when that is left out. Returns the table and what was asked. */
const tableOf = (answer: boolean | Error, under: bigint | undefined) => {
  const asked: string[] = []
  const answers: Readonly<Record<string, () => unknown>> = {
    LeaseGrant: () => ({ ID: TERM, TTL: 86_400n }),
    Txn: () => {
      if (answer instanceof Error) throw answer
      return { succeeded: answer }
    },
    Range: () => {
      if (under === undefined) throw new StoreError('etcd does not answer')
      return { kvs: [kvOf(under)] }
    },
    LeaseRevoke: () => ({}),
  }
  const call = async ({ path }: { readonly path: string }): Promise<unknown> => {
    const name = path.split('/').at(-1) ?? ''
    asked.push(name)
    return answers[name]?.()
  }
  const table = openTable({ call } as unknown as EtcdClient, keysOf('/net'), new AbortController().signal)
  return { table, asked }
}

const HELD = heldOf(LEASE, kvOf(3n))
const SILENCE = new StoreError('etcd does not answer: http://192.0.2.1:2379')

test('update() of a key that another has changed gives its etcd lease back', async () => {
  const { table, asked } = tableOf(false, 5n)
  expect(await table.update(HELD, LEASE)).toBeUndefined()
  expect(asked.at(-1)).toBe('LeaseRevoke')
})

test.each([
  ['is refused by the next endpoint', false],
  ['was not answered', SILENCE],
])('a write that was made and %s: the etcd lease it went under is kept', async (_, answer) => {
  const { table, asked } = tableOf(answer, TERM)
  expect(await table.update(HELD, LEASE)).toMatchObject({ lease: LEASE })
  expect(await table.create(LEASE)).toMatchObject({ lease: LEASE })
  expect(asked).not.toContain('LeaseRevoke')
})

test('nothing is given back while it cannot be known whether it was written', async () => {
  const { table, asked } = tableOf(SILENCE, undefined)
  await expect(table.update(HELD, LEASE)).rejects.toThrow(SILENCE)
  expect(asked).not.toContain('LeaseRevoke')
})
