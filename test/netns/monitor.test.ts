/** What watchKernel() reports of a real kernel, in a namespace with a bridge br0, its port p0 and a VXLAN link vx0. */
import { afterEach, expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { Mac } from '../../addr/mac.ts'
import { type Kernel, openKernel } from '../../kernel/kernel.ts'
import { type KernelEvent, type MonitorOptions, watchKernel } from '../../kernel/monitor.ts'
import { newNeigh } from '../../netlink/neigh.ts'
import { newRoute } from '../../netlink/route.ts'
import { within } from '../support/in-process.ts'
import { ipJson, makeNetns, mustIn, shellIn } from '../support/netns.ts'

const BED = `
  ip link set lo up
  ip link add br0 type bridge; ip link set br0 up
  ip link add p0 type veth peer name q0; ip link set p0 master br0; ip link set p0 up; ip link set q0 up
  ip addr add 192.0.2.1/24 dev br0
  ip link add vx0 type vxlan id 7 dev br0 local 192.0.2.1 dstport 8472 nolearning
  ip link set vx0 up
  ip addr add 10.9.0.0/32 dev vx0
  nft add table inet there; nft add chain inet there c`

interface Bed {
  readonly name: string
  readonly kernel: Kernel
  readonly events: KernelEvent[]
  readonly close: () => void
}

let closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing) close()
  closing = []
})

const indexOf = (name: string, link: string): number => Number(ipJson(name, 'link', 'show', link)[0]?.['ifindex'])

const openBed = (optionsOf: (name: string) => MonitorOptions = () => ({})): Bed => {
  const name = makeNetns('monitor')
  shellIn(name, BED)
  const events: KernelEvent[] = []
  return within(name, () => {
    const kernel = openKernel('')
    const monitor = watchKernel(kernel, (event) => events.push(event), optionsOf(name))
    const close = (): void => {
      monitor.close()
      kernel.close()
    }
    closing.push(close)
    return { name, kernel, events, close }
  })
}

const within10s = { timeout: 10_000, interval: 20 }
const hears = (bed: Bed, event: object) =>
  expect.poll(() => bed.events, within10s).toContainEqual(expect.objectContaining(event))

/** A change that is always reported, after which everything before it has been. */
const fence = (bed: Bed): Promise<void> => {
  shellIn(bed.name, 'nft add table inet fence')
  shellIn(bed.name, 'ip link add fence type ifb')
  return hears(bed, { kind: 'nft', table: 'fence' }).then(() => hears(bed, { kind: 'link', name: 'fence' }))
}

const REPORTED: readonly (readonly [script: string, link: string, event: object])[] = [
  ['ip link add new0 type ifb', '', { kind: 'link', change: 'set', name: 'new0', up: false }],
  ['ip link set vx0 down', 'vx0', { kind: 'link', change: 'set', name: 'vx0', up: false }],
  ['ip link set vx0 mtu 1300', 'vx0', { kind: 'link', change: 'set', name: 'vx0', up: true }],
  ['ip link del vx0', 'vx0', { kind: 'link', change: 'gone', name: 'vx0' }],
  ['ip addr add 192.0.2.9/24 dev br0', 'br0', { kind: 'addr', change: 'set', address: '192.0.2.9' }],
  ['ip addr del 10.9.0.0/32 dev vx0', 'vx0', { kind: 'addr', change: 'gone', address: '10.9.0.0' }],
  ['ip addr add 2001:db8::9/64 dev br0 nodad', 'br0', { kind: 'addr', change: 'set', address: '2001:db8::9' }],
  [
    'ip route add 10.9.1.0/24 via 10.9.1.0 dev vx0 onlink proto 112',
    'vx0',
    { kind: 'route', change: 'set', dst: '10.9.1.0/24', protocol: 112 },
  ],
  [
    'ip route add 10.9.1.0/24 dev vx0; ip route del 10.9.1.0/24 dev vx0',
    'vx0',
    { kind: 'route', change: 'gone', dst: '10.9.1.0/24' },
  ],
  ['ip -6 route add 2001:db8:1::/64 dev vx0', 'vx0', { kind: 'route', change: 'set', dst: '2001:db8:1::/64' }],
  ['ip route add default dev vx0', 'vx0', { kind: 'route', change: 'set', dst: '0.0.0.0/0' }],
  ['ip route add blackhole 10.9.0.0/16', '', { kind: 'route', change: 'set', index: 0, dst: '10.9.0.0/16' }],
  [
    'ip neigh add 10.9.1.0 lladdr 0e:00:00:00:00:01 dev vx0 nud permanent',
    'vx0',
    { kind: 'neigh', change: 'set', ip: '10.9.1.0', lladdr: '0e:00:00:00:00:01' },
  ],
  [
    'ip neigh add 10.9.1.0 lladdr 0e:00:00:00:00:01 dev vx0 nud permanent; ip neigh del 10.9.1.0 dev vx0',
    'vx0',
    { kind: 'neigh', change: 'gone', ip: '10.9.1.0' },
  ],
  [
    'bridge fdb add 0e:00:00:00:00:01 dev vx0 dst 192.0.2.2 self permanent',
    'vx0',
    { kind: 'fdb', change: 'set', ip: '192.0.2.2', lladdr: '0e:00:00:00:00:01' },
  ],
  [
    'bridge fdb add 0e:00:00:00:00:01 dev vx0 dst 192.0.2.2 self permanent; bridge fdb del 0e:00:00:00:00:01 dev vx0',
    'vx0',
    { kind: 'fdb', change: 'gone', lladdr: '0e:00:00:00:00:01' },
  ],
  ['nft add table inet new0', '', { kind: 'nft', table: 'new0' }],
  ['nft add rule inet there c counter', '', { kind: 'nft', table: 'there' }],
  ['nft delete table inet there', '', { kind: 'nft', table: 'there' }],
]

test.for(REPORTED)('watchKernel() reports: %s', async ([script, link, event]) => {
  const bed = openBed()
  const index = link === '' ? {} : { index: indexOf(bed.name, link) }
  shellIn(bed.name, script)
  await hears(bed, { ...event, ...index })
})

test('watchKernel() does not take a port that leaves its bridge for a link that is gone', async () => {
  const bed = openBed()
  shellIn(bed.name, 'ip link set p0 nomaster')
  await fence(bed)
  expect(bed.events).toContainEqual(expect.objectContaining({ kind: 'link', name: 'p0', change: 'set' }))
  expect(bed.events).not.toContainEqual(expect.objectContaining({ kind: 'link', change: 'gone' }))
})

test('watchKernel() does not report routes and neighbours that the same kernel was told to make', async () => {
  const bed = openBed()
  const index = indexOf(bed.name, 'vx0')
  const replies = bed.kernel
    .route('node')
    .exchange([
      newRoute(index, { dst: '10.9.1.0/24' as Cidr, via: '10.9.1.0' as Ip, onlink: true }),
      newNeigh(index, { table: 'neigh', ip: '10.9.1.0' as Ip, lladdr: '0e:00:00:00:00:01' as Mac }),
    ])
  expect(replies.map(({ errno }) => errno)).toEqual([0, 0])
  await fence(bed)
  expect(bed.events.filter(({ kind }) => kind === 'route' || kind === 'neigh')).toEqual([])
})

test('watchKernel() reports neighbours of the links that concern it alone', async () => {
  const bed = openBed((name) => {
    const index = indexOf(name, 'vx0')
    return { concerns: (other) => other === index }
  })
  const entry = 'lladdr 0e:00:00:00:00:01 nud permanent'
  shellIn(bed.name, `ip neigh add 192.0.2.7 dev br0 ${entry}; ip neigh add 10.9.1.0 dev vx0 ${entry}`)
  await fence(bed)
  expect(bed.events.flatMap((event) => (event.kind === 'neigh' ? [event.ip] : []))).toEqual(['10.9.1.0'])
})

test('watchKernel() says that messages were lost, and goes on', async () => {
  const bed = openBed()
  const lines = Array.from(
    { length: 60_000 },
    (_, i) => `route add 10.${(i >> 8) & 255}.${i & 255}.${i >> 16}/32 dev vx0`,
  )
  mustIn(bed.name, ['ip', '-batch', '-'], { input: lines.join('\n') })
  await expect.poll(() => bed.events.some(({ kind }) => kind === 'lost'), within10s).toBe(true)
  bed.events.length = 0
  await fence(bed)
})

test('watchKernel() reports nothing more once closed, also from within its listener', async () => {
  const bed = openBed()
  const own: KernelEvent[] = []
  const inner = within(bed.name, () =>
    watchKernel(bed.kernel, (event) => {
      own.push(event)
      inner.close()
    }),
  )
  shellIn(bed.name, 'ip addr add 192.0.2.9/24 dev br0; ip addr add 192.0.2.10/24 dev br0')
  await fence(bed)
  expect(own).toHaveLength(1)
})
