import { expect, test } from 'vitest'
import type { Ip } from '../../addr/ip.ts'
import { commentOf } from '../../kernel/owner.ts'
import type { CacheEntry } from '../runtime/result-cache.ts'
import { attachmentsOf, namelessOwners, storesOf, type Traces } from './traces.ts'

const owner = (containerID: string, ifName = 'eth0'): string => commentOf({ network: 'pods', containerID, ifName })
const LONG = 'a'.repeat(80)
const entry = (containerID: string): CacheEntry => ({
  ...{ network: 'pods', containerID, ifName: 'eth0', config: '', netns: '/run/netns/x' },
  ...{ args: [], capabilities: {}, result: undefined },
})
const traces: Traces = {
  cached: [entry('both'), entry(LONG)],
  reservations: [
    { containerID: 'both', ifName: 'eth0', address: '10.0.0.2' as Ip, since: 0 },
    { containerID: 'both', ifName: 'eth0', address: 'fd00::2' as Ip, since: 0 },
    { containerID: 'reserved', ifName: '', address: '10.0.0.3' as Ip, since: 0 },
  ],
  owners: new Set([owner('both'), owner('both', 'eth1'), owner(LONG), owner('b'.repeat(80))]),
}

test('attachmentsOf() brings the traces of one attachment together', () => {
  const found = attachmentsOf('pods', traces).map(({ containerID, ifName, cached, reservations, hasInterface }) => [
    ...[containerID, ifName, cached !== undefined, reservations.length, hasInterface],
  ])
  expect(found).toEqual([
    [LONG, 'eth0', true, 0, true],
    ['both', 'eth0', true, 2, true],
    ['both', 'eth1', false, 0, true],
    ['reserved', '', false, 1, false],
  ])
})

test('namelessOwners() are those whose container id is known by its hash only', () => {
  expect(namelessOwners('pods', traces, attachmentsOf('pods', traces))).toEqual([owner('b'.repeat(80))])
})

test.each([
  [{ type: 'bridge' }, []],
  [{ type: 'bridge', ipam: { type: 'host-local' } }, ['/var/lib/cni/networks/pods']],
  [{ type: 'bridge', ipam: { type: 'host-local', dataDir: '/x' } }, ['/x/pods']],
  [{ type: 'flannel' }, ['/var/lib/cni/networks/pods']],
  [{ type: 'vxlan', ipam: { dataDir: '/x' } }, ['/x/pods']],
  [{ type: 'flannel', ipam: { type: 'whereabouts' } }, []],
])('storesOf() %j is %j', (plugin, folders) =>
  expect(storesOf({ name: 'pods', plugins: [plugin, { type: 'portmap' }] })).toEqual(folders),
)
