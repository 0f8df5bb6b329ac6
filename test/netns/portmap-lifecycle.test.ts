/** The verbs of portmap: who may have a port, what each verb leaves behind, and pods that the reference plugin attached. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { makeNetns, mustIn, shellIn } from '../support/netns.ts'
import { makeNode, NODE_IPV4, type NodeBed } from '../support/node.ts'
import { binDir, callPlugin, REFERENCE } from '../support/plugin.ts'
import { ask, listen } from '../support/probe.ts'
import { add, check, del, gc, list, podOf, tcp, udp } from './portmap.bed.ts'

const BACKENDS = ['nftables', 'iptables'] as const

/** One call of portmap alone. */
const portmap = (bed: NodeBed, verb: string, conf: object, more: object = {}) =>
  callPlugin({
    bin: binDir(),
    node: bed.node,
    verb,
    containerID: 'c0',
    netns: bed.pods[0] ?? '',
    ifName: 'eth0',
    conf: { cniVersion: '1.1.0', name: 'net0', type: 'portmap', ...conf },
    ...more,
  })

const prevResult = (pod: string, address = '10.9.0.2/24') => ({
  cniVersion: '1.1.0',
  interfaces: [{ name: 'eth0', sandbox: pod }],
  ips: [{ address, interface: 0 }],
})
const publishing = (...portMappings: readonly object[]) => ({ runtimeConfig: { portMappings } })

const rules = (bed: NodeBed): string => mustIn(bed.node, ['nft', '-s', 'list', 'ruleset'])
/** Lines of a difference that are about rules, without what closes a block. */
const isRule = (line: string): boolean => /^[+-] (nft|iptables|ip6tables)\S* +\S/.test(line) && !/[{}] *$/.test(line)
/** What the reference plugin leaves too: the shared chains and what leads to them. */
const isShared = (line: string): boolean => /CNI-HOSTPORT|0x0*2000|policy accept|:[A-Z]+ ACCEPT|\*nat|COMMIT/.test(line)

test('a host port is given once: the second pod is told who has it, and gets nothing', () => {
  const bed = makeNode(2)
  const conf = list(bed)
  add(conf, podOf(bed, 0, [tcp(8080), udp(8080)]))
  const before = rules(bed)
  const result = portmap(
    bed,
    'ADD',
    {
      ...publishing(tcp(9090), tcp(8080, 81)),
      prevResult: prevResult(bed.pods[1] ?? '', '10.9.0.3/24'),
    },
    { containerID: 'c1' },
  )
  expect(result.json).toMatchObject({ code: 103, msg: 'host port 8080/tcp is held by net0/c0/eth0' })
  expect(rules(bed)).toBe(before)
})

test('the same port on another address, or of another protocol, is another port', () => {
  const bed = makeNode(0)
  const publish = (id: string, ...mappings: readonly object[]) =>
    portmap(
      bed,
      'ADD',
      { ...publishing(...mappings), prevResult: prevResult('/pod', `10.9.0.${id}/24`) },
      {
        containerID: `c${id}`,
        netns: '/pod',
      },
    ).status
  expect(publish('2', tcp(80, 80, NODE_IPV4))).toBe(0)
  expect(publish('3', tcp(80, 80, '192.0.2.77'))).toBe(0)
  expect(publish('4', { ...tcp(80), protocol: 'sctp' })).toBe(0)
  expect(publish('5', tcp(80, 80, NODE_IPV4))).not.toBe(0)
})

test('two attachments of one container may publish the same ports: the first has them', () => {
  const bed = makeNode(1)
  const pod = podOf(bed, 0, [tcp(8080)])
  const [first, second] = [list(bed), list(bed, {}, 1, { isGateway: true })]
  const a = add(first, pod)
  const b = add(second, { ...pod, ifName: 'eth1' })
  expect(check(first, pod, a)).toEqual([0, 0])
  expect(check(second, { ...pod, ifName: 'eth1' }, b)).toEqual([0, 0])
  expect(del(second, { ...pod, ifName: 'eth1' }, b)).toEqual([0, 0])
  expect(rules(bed)).toContain('tcp . 8080 comment "net0/c0/eth0"')
  expect(del(first, pod, a)).toEqual([0, 0])
  expect(rules(bed)).not.toContain('elements')
})

test.for(BACKENDS)('%s: ADD, CHECK, DEL and GC of an attachment leave nothing of it', (backend) => {
  const bed = makeNode(1)
  const conf = list(bed, { backend })
  const pod = podOf(bed, 0, [tcp(8080), udp(53), tcp(443, 443, NODE_IPV4), tcp(1, 1, '::')])
  const before = snapshot(bed.node)
  const result = add(conf, pod)
  expect(check(conf, pod, result)).toEqual([0, 0])
  expect(del(conf, pod, result)).toEqual([0, 0])
  expect(del(conf, pod, result)).toEqual([0, 0])
  expect(rules(bed)).not.toMatch(/10\.9\.0\.2|CNI-DN|net0\/c0/)
  expect(gc(conf, pod, [])).toEqual([0, 0])
  const left = difference(before, snapshot(bed.node)).filter(isRule)
  expect(backend === 'nftables' ? left : left.filter((line) => !isShared(line))).toEqual([])
})

const WITHOUT: readonly (readonly [what: string, conf: (pod: string) => object, more: object])[] = [
  ['prevResult', () => publishing(tcp(8080), udp(53)), {}],
  ['CNI_NETNS and prevResult', () => publishing(tcp(8080), udp(53)), { netns: undefined }],
  ['port mappings', (pod) => ({ prevResult: prevResult(pod) }), {}],
  ['anything but its name', () => ({}), { netns: undefined }],
]
test.for(BACKENDS.flatMap((backend) => WITHOUT.map((row) => [backend, ...row] as const)))(
  '%s: DEL without %s removes the ports and forgets the UDP flow',
  ([backend, , conf, more]) => {
    const bed = makeNode(1)
    add(list(bed, { backend }), podOf(bed, 0, [tcp(8080), udp(53)]))
    const stop = listen(bed.pods[0] ?? '', 'web', 80)
    expect(ask({ from: bed.outside, to: NODE_IPV4, port: 53, protocol: 'udp', patience: 5 })).toMatch(/^web/)
    stop()
    const gone = portmap(bed, 'DEL', { backend, ...conf(bed.pods[0] ?? '') }, more)
    expect(gone.stdout + gone.stderr).toBe('')
    expect(rules(bed)).not.toMatch(/10\.9\.0\.2|CNI-DN|net0\/c0/)
    const flows = mustIn(bed.node, ['sh', '-c', 'conntrack -L -p udp --dport 53 2>/dev/null'])
    const isBlind = backend === 'iptables' && !('runtimeConfig' in conf('')) && !('prevResult' in conf(''))
    if (!isBlind) expect(flows).toBe('')
  },
)

test('DEL takes only what is its own: another pod that has the port by now keeps it', () => {
  const bed = makeNode(2)
  const conf = list(bed)
  const old = podOf(bed, 0, [tcp(8080)])
  const result = add(conf, old)
  shellIn(bed.node, 'nft delete table inet podwire-hostport')
  add(conf, podOf(bed, 1, [tcp(8080)]))
  expect(del(conf, old, result)).toEqual([0, 0])
  expect(rules(bed)).toContain('tcp . 8080 comment "net0/c1/eth0"')
})

test('GC keeps valid attachments and other networks, and removes the table when nothing is left', () => {
  const bed = makeNode(3)
  const [conf, other] = [list(bed), list(bed, { conditionsV4: ['ip saddr != 198.51.100.0/24'] }, 1)]
  const pods = [podOf(bed, 0, [tcp(1)]), podOf(bed, 1, [tcp(2)]), podOf(bed, 2, [tcp(3)])] as const
  add(conf, pods[0])
  add(conf, pods[1])
  add(other, pods[2])
  expect(gc(conf, pods[0], [{ containerID: 'c0', ifname: 'eth0' }])).toEqual([0, 0])
  expect(rules(bed)).toContain('net0/c0/eth0')
  expect(rules(bed)).not.toContain('net0/c1/eth0')
  expect(rules(bed)).toContain('net1/c2/eth0')
  expect(gc(conf, pods[0], [])).toEqual([0, 0])
  expect(gc(other, pods[2], [])).toEqual([0, 0])
  expect(rules(bed)).not.toContain('podwire-hostport')
})

test('GC forgets the UDP flows of what it removes', () => {
  const bed = makeNode(1)
  const conf = list(bed)
  add(conf, podOf(bed, 0, [udp(53)]))
  const stop = listen(bed.pods[0] ?? '', 'web', 80)
  expect(ask({ from: bed.outside, to: NODE_IPV4, port: 53, protocol: 'udp' })).toMatch(/^web/)
  stop()
  const flows = () => mustIn(bed.node, ['sh', '-c', 'conntrack -L -p udp --dport 53 2>/dev/null'])
  expect(flows()).toContain('dport=53')
  expect(gc(conf, podOf(bed, 0, []), [])).toEqual([0, 0])
  expect(flows()).toBe('')
})

const DAMAGE: readonly (readonly [backend: string, script: string, why: RegExp])[] = [
  ['nftables', 'nft flush map inet podwire-hostport hostports-ipv4', /host port 8080\/tcp is missing/],
  ['nftables', 'nft flush set inet podwire-hostport masquerade-ipv4', /masquerade-ipv4 .* is missing/],
  ['nftables', 'nft flush chain inet podwire-hostport hostports', /chain hostports .* holds 0 rules instead of 4/],
  ['nftables', 'nft delete table inet podwire-hostport', /nft table inet podwire-hostport is missing/],
  ['nftables', 'sysctl -qw net.ipv4.conf.cni0.route_localnet=0', /route_localnet/],
  ['iptables', 'iptables -t nat -F CNI-HOSTPORT-DNAT', /CNI-HOSTPORT-DNAT/],
  ['iptables', 'iptables -t nat -F PREROUTING', /PREROUTING/],
]
test.for(DAMAGE)('%s: CHECK finds what "%s" did', ([backend, script, why]) => {
  const bed = makeNode(1)
  const conf = list(bed, { backend })
  const pod = podOf(bed, 0, [tcp(8080)])
  const result = add(conf, pod)
  shellIn(bed.node, script)
  const [, found] = check(conf, pod, result)
  expect(found).toMatch(/"code": 100/)
  expect(found).toMatch(why)
})

test('a kernel that refuses NAT by nftables is found by STATUS, with what to do', () => {
  const bed = makeNode(1)
  const status = (more: object = {}) =>
    portmap(bed, 'STATUS', {}, { containerID: undefined, ifName: undefined, netns: undefined, ...more })
  expect(status().status).toBe(0)
  expect(rules(bed)).toBe('')
  const refused = status({ wrap: ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'] })
  expect(refused.json).toMatchObject({ code: 50 })
})

test('nftables: no verb runs another program', () => {
  const bed = makeNode(1)
  add(list(bed), podOf(bed, 0, []))
  const log = `${makeFolder('trace')}/log`
  const wrap = ['strace', '-f', '-qq', '-e', 'trace=execve,fork,vfork,clone,clone3', '-e', 'signal=none', '-o', log]
  for (const verb of ['ADD', 'CHECK', 'DEL', 'GC']) {
    const extra = verb === 'GC' ? { 'cni.dev/valid-attachments': [] } : { prevResult: prevResult(bed.pods[0] ?? '') }
    expect(portmap(bed, verb, { ...publishing(tcp(8080), udp(53)), ...extra }, { wrap }).status).toBe(0)
    const calls = readFileSync(log, 'utf8').split('\n')
    expect(calls.some((line) => line.includes('execve('))).toBe(true)
    expect(calls.filter((line) => /execve\(/.test(line) && !line.includes(binDir()))).toEqual([])
    expect(calls.filter((line) => /fork|clone/.test(line) && !/CLONE_THREAD|resumed/.test(line))).toEqual([])
  }
})

const referenceConf = (bed: NodeBed) => ({ ...list(bed), cniVersion: '1.0.0' })

test('a pod that the reference plugin attached is checked, removed and collected', () => {
  const bed = makeNode(2)
  const conf = referenceConf(bed)
  const pods = [podOf(bed, 0, [tcp(8080), udp(53)]), podOf(bed, 1, [tcp(8081)])] as const
  const results = pods.map((pod) => add(conf, { ...pod, bin: REFERENCE }))
  expect(mustIn(bed.node, ['iptables-save', '-t', 'nat'])).toContain('CNI-DN-')
  expect(check(conf, pods[0], results[0])[1]).toBe(0)
  expect(del(conf, pods[0], results[0])[1]).toBe(0)
  expect(mustIn(bed.node, ['iptables-save', '-t', 'nat'])).not.toContain('10.9.0.2:80')
  expect(mustIn(bed.node, ['iptables-save', '-t', 'nat'])).toContain('10.9.0.3:80')
  expect(gc({ ...conf, cniVersion: '1.1.0' }, pods[1], [])[1]).toBe(0)
  expect(mustIn(bed.node, ['iptables-save', '-t', 'nat'])).not.toContain('CNI-DN-')
})

test('a pod attached with the iptables backend is removed by the reference plugin', () => {
  const bed = makeNode(1)
  const conf = { ...list(bed, { backend: 'iptables' }), cniVersion: '1.0.0' }
  const pod = podOf(bed, 0, [tcp(8080), tcp(8443, 443), udp(53)])
  const result = add(conf, pod)
  const reference = { ...pod, bin: REFERENCE }
  expect(del(conf, reference, result)[1]).toBe(0)
  expect(mustIn(bed.node, ['iptables-save', '-t', 'nat'])).not.toContain('CNI-DN-')
})

test('on a node without any of it, DEL and GC change nothing and make nothing', () => {
  const bed = makeNode(0)
  const before = snapshot(bed.node)
  const more = { netns: makeNetns('gone') }
  expect(portmap(bed, 'DEL', publishing(tcp(8080), udp(53)), more).status).toBe(0)
  expect(portmap(bed, 'GC', { 'cni.dev/valid-attachments': [] }, more).status).toBe(0)
  expect(difference(before, snapshot(bed.node))).toEqual([])
})
