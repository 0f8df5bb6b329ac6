import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { parseCidr } from '../addr/cidr.ts'
import { readIp } from '../addr/ip.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { NetlinkError } from '../netlink/error.ts'
import type { Lease } from '../overlay/lease.ts'
import { parseNetConf } from '../overlay/net-conf.ts'
import { makeFolder } from '../test/support/cleanup.ts'
import type { Keeper } from './keeper.ts'
import { type Knowledge, openKnowledge } from './knowledge.ts'
import { openTurns, type TurnParts } from './turns.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const ENOBUFS = 105
const fail = (): never => {
  throw new NetlinkError('a socket', ENOBUFS)
}

const conf = parseNetConf('{"Network": "10.244.0.0/16"}')
const own: Lease = {
  key: '10.244.1.0-24',
  subnet: parseCidr('10.244.1.0/24'),
  publicIP: readIp('192.0.2.1') ?? expect.fail(),
  backendType: 'vxlan',
  data: {},
  v6Data: {},
}

/** Knows enough for a pass. */
const knowing = (): Knowledge => ({
  ...openKnowledge(),
  netConf: { text: '', conf },
  site: { conf, underlay: { name: 'eth0', mtu: 1500, addresses: [] } },
  own: { own: { lease: own }, conf },
})

/** Turns of an agent with this keeper, over a kernel whose sockets fail. Returns what was logged, too. */
const open = (keeper: Partial<Keeper>) => {
  const said: string[] = []
  const parts: Record<string, unknown> = {
    options: { subnetFile: `${makeFolder('turns')}/subnet.env`, ipMasq: false },
    log: { error: ({ error }: { error: string }) => said.push(error), info: () => undefined },
    kernel: { route: fail, netfilter: fail } as unknown as Kernel,
    know: knowing(),
    leases: { isKnown: () => true },
    keeper,
    reconciler: { failures: () => [] },
    surroundings: { look: () => false },
  }
  return { said, turns: openTurns(parts as unknown as TurnParts) }
}

const DESIRED = { scope: { devices: ['flannel.1'] }, node: { underlay: { name: 'eth0' } }, base: [], peers: new Map() }

test('a socket that fails while peers are brought to the kernel does not end the agent: a pass follows', () => {
  let passes = 0
  const full = (): never => {
    passes += 1
    return fail()
  }
  const { said, turns } = open({ flush: fail, full })
  turns.flushSoon()
  vi.advanceTimersByTime(1)
  expect(said).toEqual([expect.stringContaining('ENOBUFS')])
  vi.advanceTimersByTime(1000)
  expect(passes).toBe(1)
  turns.stop()
})

test('a socket that fails after a pass does not end the agent: another pass follows', () => {
  let passes = 0
  const full = () => {
    passes += 1
    return { changes: [], failures: [] }
  }
  const { said, turns } = open({ full, desired: () => DESIRED as unknown as ReturnType<Keeper['desired']> })
  turns.passNow()
  vi.advanceTimersByTime(1)
  expect(said).toEqual([expect.stringContaining('ENOBUFS')])
  vi.advanceTimersByTime(1000)
  expect(passes).toBe(2)
  turns.stop()
})
