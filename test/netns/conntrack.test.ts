/** Flows as the kernel tracks them: read, picked and forgotten. They are put in with conntrack(8), and real datagrams show
 *  what forgetting one does. */
import { expect, test } from 'vitest'
import type { Ip } from '../../addr/ip.ts'
import { flushFlows, flushPod, flushPublished, flushWithdrawn } from '../../kernel/conntrack.ts'
import { type Kernel, withKernel } from '../../kernel/kernel.ts'
import { delByTuple, dumpFlows, IPPROTO_UDP } from '../../netlink/conntrack.ts'
import { makeNetns, mustIn, pathOf, shellIn } from '../support/netns.ts'

/** linux/netfilter/nf_conntrack_common.h */
const IPS_SEEN_REPLY = 2

const ip = (text: string): Ip => text as Ip

const inNetns = (use: (kernel: Kernel, netns: string) => void): void => {
  const netns = makeNetns('ct')
  shellIn(
    netns,
    'ip link set lo up; ip link add up0 type bridge; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up;' +
      'ip addr add 2001:db8::1/64 dev up0 nodad; ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8::2',
  )
  withKernel(pathOf(netns), (kernel) => use(kernel, netns))
}

/** A flow from `src` to `dst`, translated to `pod` when one is given. */
const put = (netns: string, protocol: string, src: string, dst: string, port: number, pod?: string, podPort = port) => {
  const reply = pod ?? dst
  shellIn(
    netns,
    `conntrack -I -p ${protocol} -t 100 -s ${src} -d ${dst} --sport 4000 --dport ${port} ` +
      `-r ${reply} -q ${src} --reply-port-src ${podPort} --reply-port-dst 4000 ` +
      `${protocol === 'tcp' ? '--state ESTABLISHED' : ''} ${pod === undefined ? '' : `-u SEEN_REPLY,DST_NAT`} 2>/dev/null`,
  )
}

const left = (netns: string): readonly string[] =>
  ['ipv4', 'ipv6']
    .flatMap((family) => mustIn(netns, ['sh', '-c', `conntrack -L -f ${family} 2>/dev/null`]).split('\n'))
    .map((line) => /^(\w+) .*?dst=(\S+) .*?dport=(\d+)/.exec(line))
    .flatMap((found) => (found === null ? [] : [`${found[1]} ${found[2]} ${found[3]}`]))
    .sort()

test('dumpFlows() reads tuples, status, mark and zone of both families', () => {
  inNetns((kernel, netns) => {
    put(netns, 'udp', '192.0.2.9', '192.0.2.1', 53, '10.0.0.2', 5353)
    put(netns, 'tcp', '2001:db8::9', '2001:db8::1', 80)
    shellIn(netns, 'conntrack -U -p tcp -f ipv6 --mark 7 2>/dev/null')
    const [udp] = dumpFlows(kernel.netfilter('pod'), 4)
    expect(udp?.original).toMatchObject({
      src: '192.0.2.9',
      dst: '192.0.2.1',
      protocol: 17,
      srcPort: 4000,
      dstPort: 53,
    })
    expect(udp?.reply).toMatchObject({ src: '10.0.0.2', dst: '192.0.2.9', srcPort: 5353, dstPort: 4000 })
    expect((udp?.status ?? 0) & IPS_SEEN_REPLY).toBe(IPS_SEEN_REPLY)
    const [tcp, ...more] = dumpFlows(kernel.netfilter('pod'), 6)
    expect(tcp).toMatchObject({ original: { dst: '2001:db8::1', dstPort: 80 }, mark: 7, zone: 0 })
    expect(more).toEqual([])
  })
})

test('dumpFlows() of a filter yields what has all of its parts', () => {
  inNetns((kernel, netns) => {
    put(netns, 'udp', '192.0.2.9', '192.0.2.1', 53, '10.0.0.2')
    put(netns, 'udp', '192.0.2.9', '192.0.2.1', 54)
    put(netns, 'tcp', '192.0.2.9', '192.0.2.1', 53)
    const socket = kernel.netfilter('pod')
    const ports = (filter: Parameters<typeof dumpFlows>[2]) =>
      dumpFlows(socket, 4, filter).map(({ original }) => `${original.protocol}/${original.dstPort}`)
    expect(ports({ original: { protocol: 17, dstPort: 53 } })).toEqual(['17/53'])
    expect(ports({ original: { protocol: 17 } }).sort()).toEqual(['17/53', '17/54'])
    expect(ports({ reply: { src: ip('10.0.0.2') } })).toEqual(['17/53'])
    expect(ports({ original: { dst: ip('192.0.2.1'), srcPort: 4000 } })).toHaveLength(3)
    expect(ports({ original: { dst: ip('192.0.2.3') } })).toEqual([])
  })
})

test('delByTuple() deletes by the original and by the reply tuple; one that is gone is not found', () => {
  inNetns((kernel, netns) => {
    put(netns, 'udp', '192.0.2.9', '192.0.2.1', 53, '10.0.0.2', 5353)
    put(netns, 'udp', '2001:db8::9', '2001:db8::1', 54, 'fd00::2', 54)
    const socket = kernel.netfilter('pod')
    const first = { src: ip('192.0.2.9'), dst: ip('192.0.2.1'), protocol: IPPROTO_UDP, srcPort: 4000, dstPort: 53 }
    const second = { src: ip('fd00::2'), dst: ip('2001:db8::9'), protocol: IPPROTO_UDP, srcPort: 54, dstPort: 4000 }
    const messages = [delByTuple(4, first), delByTuple(6, second, 'reply'), delByTuple(4, first)]
    expect(socket.exchange(messages).map(({ errno }) => errno)).toEqual([0, 0, 2])
    expect(left(netns)).toEqual([])
  })
})

test('flows in a zone and flows without ports are found and deleted', () => {
  inNetns((kernel, netns) => {
    shellIn(
      netns,
      `nft 'add table ip z; add chain ip z c { type filter hook output priority raw; }'
nft 'add rule ip z c ip daddr 127.0.0.9 ct zone set 5'; nft add chain ip z d '{ type nat hook output priority 0; }'
ping -qc1 -W1 127.0.0.9 >/dev/null; ping -qc1 -W1 127.0.0.8 >/dev/null`,
    )
    const flows = dumpFlows(kernel.netfilter('pod'), 4, { original: { protocol: 1 } })
    expect(flows.map(({ original, zone }) => `${original.protocol} ${original.dst} ${zone}`).sort()).toEqual([
      '1 127.0.0.8 0',
      '1 127.0.0.9 5',
    ])
    expect(flushFlows(kernel, 'pod', 4, { original: { protocol: 1 } })).toBe(2)
    expect(dumpFlows(kernel.netfilter('pod'), 4, { original: { protocol: 1 } })).toEqual([])
  })
})

/** Flows of which a published port 53 must forget some: to the node, through the node, of other protocols and ports. */
const world = (netns: string): void => {
  put(netns, 'udp', '192.0.2.9', '192.0.2.1', 53, '10.0.0.2', 5353)
  put(netns, 'udp', '192.0.2.8', '192.0.2.1', 53, '10.0.0.3', 53)
  put(netns, 'udp', '192.0.2.7', '127.0.0.1', 53)
  put(netns, 'udp', '10.0.0.5', '9.9.9.9', 53)
  put(netns, 'udp', '10.0.0.6', '10.96.0.10', 53, '10.0.0.3', 53)
  put(netns, 'udp', '192.0.2.6', '192.0.2.1', 54, '10.0.0.2', 5353)
  put(netns, 'tcp', '192.0.2.9', '192.0.2.1', 53, '10.0.0.2', 5353)
  put(netns, 'udp', '2001:db8::9', '2001:db8::1', 53, 'fd00::2', 5353)
}
const ALL = [
  'tcp 192.0.2.1 53',
  'udp 10.96.0.10 53',
  'udp 127.0.0.1 53',
  'udp 192.0.2.1 53',
  'udp 192.0.2.1 53',
  'udp 192.0.2.1 54',
  'udp 2001:db8::1 53',
  'udp 9.9.9.9 53',
]
const without = (...gone: readonly string[]): readonly string[] => {
  const rest = [...ALL]
  for (const line of gone) rest.splice(rest.indexOf(line), 1)
  return rest
}
const pod = { address: ip('10.0.0.2'), port: 5353 }

test('flushPublished() forgets flows to the port that lead elsewhere, and no flow through the node', () => {
  inNetns((kernel, netns) => {
    world(netns)
    expect(left(netns)).toEqual(ALL)
    expect(flushPublished(kernel, 'pod', { family: 4, port: 53, pod })).toBe(2)
    expect(left(netns)).toEqual(without('udp 127.0.0.1 53', 'udp 192.0.2.1 53'))
    const v6 = { address: ip('fd00::9'), port: 53 }
    expect(flushPublished(kernel, 'pod', { family: 6, port: 53, pod: v6 })).toBe(1)
  })
})

test('flushPublished() of one address of the node forgets flows to that address alone', () => {
  inNetns((kernel, netns) => {
    world(netns)
    flushPublished(kernel, 'pod', { family: 4, port: 53, hostIP: ip('127.0.0.1'), pod })
    expect(left(netns)).toEqual(without('udp 127.0.0.1 53'))
  })
})

test('flushWithdrawn() forgets flows that were translated: those to the pod, or all when it is not known', () => {
  inNetns((kernel, netns) => {
    world(netns)
    expect(flushWithdrawn(kernel, 'pod', { family: 4, port: 53, pod })).toBe(1)
    expect(left(netns)).toEqual(without('udp 192.0.2.1 53'))
    expect(flushWithdrawn(kernel, 'pod', { family: 4, port: 53 })).toBe(1)
    expect(left(netns)).toEqual(without('udp 192.0.2.1 53', 'udp 192.0.2.1 53'))
  })
})

test('flushPod() forgets every UDP flow that was translated to the pod', () => {
  inNetns((kernel, netns) => {
    world(netns)
    expect(flushPod(kernel, 'pod', ip('10.0.0.2'))).toBe(2)
    expect(left(netns)).toEqual(without('udp 192.0.2.1 53', 'udp 192.0.2.1 54'))
  })
})
