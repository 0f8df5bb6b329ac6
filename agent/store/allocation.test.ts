import { describe, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { type Held, LEASE_TERM } from '../../overlay/allocation.ts'
import type { Claim } from '../../overlay/claim.ts'
import type { Lease } from '../../overlay/lease.ts'
import { parseLeaseKey } from '../../overlay/lease-key.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { acquireLease, type LeaseTable } from './allocation.ts'
import { StoreError } from './store.ts'

const CONF = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.11.0"}')
const CLAIM: Claim = { publicIP: parseIp('192.0.2.1'), backendType: 'host-gw', data: {}, v6Data: {}, previous: [] }

const heldBy = (key: string, publicIP: string, reserved = false): Held => ({
  lease: { key, ...parseLeaseKey(key), publicIP: parseIp(publicIP), backendType: 'host-gw', data: {}, v6Data: {} },
  reserved,
})

interface Table extends LeaseTable<Held> {
  readonly log: readonly string[]
}

/** A table that holds `held`. `beforeWrite` is what others do before each write, which then finds out. */
const tableOf = (held: readonly Held[], beforeWrite: () => Held | undefined = () => undefined): Table => {
  const leases = new Map(held.map((each) => [each.lease.key, each]))
  const log: string[] = []
  const others = (): void => {
    const other = beforeWrite()
    if (other !== undefined) leases.set(other.lease.key, other)
  }
  const write = (verb: string, lease: Lease) => {
    log.push(`${verb} ${lease.key}`)
    leases.set(lease.key, { lease, reserved: false })
    return { lease, expires: LEASE_TERM }
  }
  return {
    log,
    list: async () => ({ leases: [...leases.values()], invalid: [] }),
    create: async (lease) => {
      others()
      return leases.has(lease.key) ? undefined : write('create', lease)
    },
    update: async (before, lease) => {
      others()
      return leases.get(lease.key) === before ? write('update', lease) : undefined
    },
    remove: async ({ lease }) => {
      log.push(`remove ${lease.key}`)
      leases.delete(lease.key)
    },
  }
}

const first = (): number => 0

describe('acquireLease()', () => {
  test('creates one where there is none', async () => {
    const table = tableOf([])
    expect(await acquireLease(table, CLAIM, CONF, first)).toMatchObject({ lease: { key: '10.5.10.0-24' } })
    expect(table.log).toEqual(['create 10.5.10.0-24'])
  })

  test('updates its own, as it was read', async () => {
    const table = tableOf([heldBy('10.5.11.0-24', '192.0.2.1')])
    await acquireLease(table, CLAIM, CONF, first)
    expect(table.log).toEqual(['update 10.5.11.0-24'])
  })

  test('removes its own that does not fit before it creates another', async () => {
    const table = tableOf([heldBy('10.9.1.0-24', '192.0.2.1')])
    await acquireLease(table, CLAIM, CONF, first)
    expect(table.log).toEqual(['remove 10.9.1.0-24', 'create 10.5.10.0-24'])
  })

  test('chooses again when another was faster', async () => {
    const others = [heldBy('10.5.10.0-24', '192.0.2.2')]
    const table = tableOf([], () => others.pop())
    await acquireLease(table, CLAIM, CONF, first)
    expect(table.log).toEqual(['create 10.5.11.0-24'])
  })

  test('chooses again when its own was changed meanwhile', async () => {
    const others = [heldBy('10.5.10.0-24', '192.0.2.2')]
    const table = tableOf([heldBy('10.5.10.0-24', '192.0.2.1')], () => others.pop())
    await acquireLease(table, CLAIM, CONF, first)
    expect(table.log).toEqual(['create 10.5.11.0-24'])
  })

  test('says so when others were faster ten times running', async () => {
    let changes = 0
    const table = tableOf([heldBy('10.5.10.0-24', '192.0.2.1')], () => {
      changes++
      return heldBy('10.5.10.0-24', '192.0.2.1')
    })
    const asking = acquireLease(table, CLAIM, CONF, first)
    await expect(asking).rejects.toThrow(StoreError)
    await expect(asking).rejects.toThrow('another node was faster 10 times running')
    expect(changes).toBe(10)
  })
})
