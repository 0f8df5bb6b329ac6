/** Probes between three nodes whose overlay was made by hand. */
import { afterEach, expect, test } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import { familyOf, type Ip } from '../../addr/ip.ts'
import { openProber, type Prober, probedAddresses } from '../../agent/probe.ts'
import { type Echo, type EchoOptions, isPortError, openEchoSocket, openUdpSocket } from '../../kernel/echo.ts'
import type { Lease } from '../../overlay/lease.ts'
import { must } from '../support/command.ts'
import { within } from '../support/in-process.ts'
import { listen, ping } from '../support/probe.ts'
import { makeUnderlay } from '../support/underlay.ts'
import { makeOverlay, type OverlayNode } from './vxlan.bed.ts'

const within20s = { timeout: 20_000, interval: 50 }

let closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing) close()
  closing = []
})

const proberOf = ({ netns }: { readonly netns: string }, peers: readonly Lease[], intervalMs: number): Prober =>
  within(netns, () => {
    const prober = openProber(intervalMs)
    closing.push(prober.close)
    for (const lease of peers) prober.set(lease)
    return prober
  })

const nodesOf = (nodes: readonly OverlayNode[]): [OverlayNode, OverlayNode, OverlayNode] => {
  const [a, b, c] = nodes
  if (a === undefined || b === undefined || c === undefined) throw new Error('three nodes are needed')
  return [a, b, c]
}

test('openProber() finds who answers over the overlay in both families, notices who stops, and who comes back', async () => {
  const bed = makeOverlay(3)
  const [a, b, c] = nodesOf(bed.nodes)
  expect(ping(a.netns, '10.244.2.0')).toBe(true)
  const prober = proberOf(a, [b.lease, c.lease], 500)
  const reachable = () => [b, c].map(({ lease }) => prober.status(lease.key)?.isReachable)
  await expect.poll(reachable, within20s).toEqual([true, true])
  expect(prober.status(b.lease.key)?.rtt).toBeLessThan(1000)

  must(['ip', '-n', bed.wire, 'link', 'set', c.port, 'down'])
  await expect.poll(reachable, within20s).toEqual([true, false])
  const lost = prober.status(c.lease.key)
  expect(lost?.rtt).toBeUndefined()
  expect(Date.parse(lost?.lastReachable ?? '')).toBeLessThan(Date.parse(lost?.at ?? ''))
  expect(prober.counts()).toEqual({ probed: 2, reachable: 1 })
  expect([...prober.statuses().keys()]).toEqual([b, c].map(({ lease }) => lease.key))

  must(['ip', '-n', bed.wire, 'link', 'set', c.port, 'up'])
  await expect.poll(reachable, within20s).toEqual([true, true])
  prober.remove(c.lease.key)
  expect(prober.counts()).toEqual({ probed: 1, reachable: 1 })
})

test('openProber() measures the time on the way, however late the answer is read', async () => {
  const [a, b] = nodesOf(makeOverlay(3).nodes)
  const prober = proberOf(a, [b.lease], 60_000)
  await expect.poll(() => prober.status(b.lease.key)?.rtt, within20s).toBeGreaterThan(0)
  expect(prober.status(b.lease.key)?.rtt).toBeLessThan(200)
})

test('openProber() counts what the kernel cannot send as not answered', async () => {
  const [a] = nodesOf(makeOverlay(3).nodes)
  const nowhere: Lease = { key: 'x', subnet: '198.51.100.0/24' as Cidr, backendType: 'vxlan', data: {}, v6Data: {} }
  must(['ip', '-n', a.netns, 'route', 'add', 'unreachable', '198.51.100.0/24'])
  const prober = proberOf(a, [nowhere], 60_000)
  await expect.poll(() => prober.status('x')?.isReachable, within20s).toBe(false)
})

const LEASE = {
  key: 'k',
  subnet: '10.5.1.0/24' as Cidr,
  ipv6Subnet: 'fd00:5:0:1::/64' as Cidr,
  publicIP: '192.0.2.7' as Ip,
  publicIPv6: '2001:db8::7' as Ip,
  data: {},
  v6Data: {},
}
test.for([
  ['vxlan', ['10.5.1.0', 'fd00:5:0:1::']],
  ['wireguard', ['10.5.1.0', 'fd00:5:0:1::']],
  ['ipip', ['10.5.1.0', 'fd00:5:0:1::']],
  ['host-gw', ['192.0.2.7', '2001:db8::7']],
] as const)('probedAddresses() of a peer with %s', ([backendType, addresses]) => {
  expect(probedAddresses({ ...LEASE, backendType })).toEqual(addresses)
})

const sendUdp = (to: Ip, port: number): number => {
  const socket = openUdpSocket(familyOf(to))
  const errno = socket.send(to, port)
  socket.close()
  return errno
}

/** What comes back in `node` to what `send` sends. */
const answersTo = async (
  node: string,
  family: 4 | 6,
  options: EchoOptions,
  send: (socket: ReturnType<typeof openEchoSocket>) => void,
): Promise<Echo[]> => {
  const socket = within(node, () => openEchoSocket(family, options))
  closing.push(socket.close)
  within(node, () => send(socket))
  const echoes: Echo[] = []
  await expect.poll(() => echoes.push(...socket.receive()), within20s).toBeGreaterThan(0)
  return echoes
}

test.for([
  [4, '192.0.2.2'],
  [6, '2001:db8::2'],
] as const)('openEchoSocket() of IPv%s hears the answer to its own request alone', async ([family, to]) => {
  const { nodes } = makeUnderlay(2)
  const node = nodes[0]?.netns ?? ''
  const others: Echo[] = []
  const other = within(node, () => openEchoSocket(family))
  closing.push(other.close)
  const echoes = await answersTo(node, family, {}, (socket) => expect(socket.send(to as Ip, 7, 56)).toBe(0))
  others.push(...other.receive())
  expect(echoes).toEqual([{ kind: 'reply', from: to, seq: 7, at: expect.any(Number) }])
  expect(others).toEqual([])
})

/** Some 2,500 fit into a socket that nobody reads. */
const FLOOD = 8000

test.for([
  [4, '192.0.2.2'],
  [6, '2001:db8::2'],
] as const)('openEchoSocket() of IPv%s is not drowned by answers to others', async ([family, to]) => {
  const { nodes } = makeUnderlay(2)
  const node = nodes[0]?.netns ?? ''
  const other = within(node, () => openEchoSocket(family))
  closing.push(other.close)
  const echoes = await answersTo(node, family, {}, (socket) => {
    let heard = 0
    for (let i = 0; i < FLOOD; i++) {
      other.send(to as Ip, i)
      if (i % 50 === 49) heard += other.receive().length
    }
    expect(heard).toBeGreaterThan(FLOOD / 2)
    socket.send(to as Ip, 7)
  })
  expect(echoes).toMatchObject([{ kind: 'reply', seq: 7 }])
})

test.for([
  [4, '192.0.2.2'],
  [6, '2001:db8::2'],
] as const)('openUdpSocket() over IPv%s: a port where nothing listens answers with an error', async ([family, to]) => {
  const { nodes } = makeUnderlay(2)
  const node = nodes[0]?.netns ?? ''
  const echoes = await answersTo(node, family, { errors: true }, () => expect(sendUdp(to as Ip, 8472)).toBe(0))
  expect(echoes).toMatchObject([{ kind: 'error', from: to, about: { kind: 'port', dst: to, protocol: 17 } }])
  const about = echoes[0]?.kind === 'error' ? echoes[0].about : undefined
  expect([8472, 8473].map((port) => about !== undefined && isPortError(about, to as Ip, port))).toEqual([true, false])
})

test('openUdpSocket(): a port where somebody listens does not answer with an error', async () => {
  const { nodes } = makeUnderlay(2)
  const [a, b] = [nodes[0]?.netns ?? '', nodes[1]?.netns ?? '']
  const stop = listen(b, 'x', 8472)
  const echoes = await answersTo(a, 4, { errors: true }, (socket) => {
    sendUdp('192.0.2.2' as Ip, 8472)
    socket.send('192.0.2.2' as Ip, 1)
  })
  expect(echoes.map(({ kind }) => kind)).toEqual(['reply'])
  stop()
})

test.for([
  [4, '192.0.2.2', 28],
  [6, '2001:db8::2', 48],
] as const)(
  'openEchoSocket() of IPv%s with `unfragmented` sends what fits the link, and no more',
  async ([family, to, overhead]) => {
    const { nodes } = makeUnderlay(2)
    const EMSGSIZE = 90
    const node = nodes[0]?.netns ?? ''
    const echoes = await answersTo(node, family, { unfragmented: true }, (socket) => {
      expect(socket.send(to as Ip, 1, 1501 - overhead)).toBe(EMSGSIZE)
      expect(socket.send(to as Ip, 2, 1500 - overhead)).toBe(0)
    })
    expect(echoes).toMatchObject([{ kind: 'reply', seq: 2 }])
  },
)
