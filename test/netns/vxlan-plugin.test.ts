/** `vxlan` through the built executable, with packets between nodes: the bed of `vxlan-plugin.bed.ts`. */
import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { difference, snapshot } from '../support/leftovers.ts'
import { inside, ipJson, mustIn, runIn, shellIn } from '../support/netns.ts'
import { binDir } from '../support/plugin.ts'
import { ask, listen, ping } from '../support/probe.ts'
import { WIRE_IPV4, WIRE_IPV6 } from '../support/underlay.ts'
import { addressIn, DUAL, leasesIn, makeVxlan, type PodBed, type VxlanNode } from './vxlan-plugin.bed.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

const nodesOf = ({ nodes }: { readonly nodes: readonly VxlanNode[] }): [VxlanNode, VxlanNode, VxlanNode] =>
  nodes as unknown as [VxlanNode, VxlanNode, VxlanNode]

const routesOf = ({ netns }: VxlanNode): readonly string[] =>
  ipJson(netns, 'route', 'show', 'dev', 'flannel.1').map(({ dst }) => String(dst))

test('pods of three nodes reach each other after one ADD on each, and the first learns of the others at its next', () => {
  const bed = makeVxlan(3)
  const [one, two, three] = nodesOf(bed)
  const [a, b, c] = [one.pod(), two.pod(), three.pod()]
  const [first, second, third] = [one.add(a), two.add(b), three.add(c)].map((result) => addressIn(result))
  expect(
    Object.values(leasesIn(bed.store))
      .map(({ PublicIP }) => PublicIP)
      .toSorted(),
  ).toEqual([...['192.0.2.1', '192.0.2.2', '192.0.2.3']])
  // three has both others, one nobody: an answer needs both sides
  expect([routesOf(one).length, routesOf(two).length, routesOf(three).length]).toEqual([0, 1, 2])
  expect(ping(c.netns, first ?? '')).toBe(false)
  one.add(one.pod())
  expect(ping(a.netns, third ?? '')).toBe(true)
  two.call('GC', undefined, { 'cni.dev/valid-attachments': [{ containerID: b.containerID, ifname: 'eth0' }] })
  for (const [from, to] of [
    [a, second],
    [b, third],
    [b, first],
    [c, first],
  ] as const)
    expect(ping(from.netns, to ?? '')).toBe(true)
  const full = (bytes: number) => runIn(a.netns, ['ping', '-c1', '-W1', '-Mdo', `-s${bytes}`, third ?? '']).status
  expect([full(1450 - 28), full(1451 - 28)]).toEqual([0, 1])
})

test('pods see each other’s own addresses, in both families; the outside sees the node', () => {
  const bed = makeVxlan(2, { netConf: DUAL })
  const [one, two] = nodesOf(bed)
  const [a, b] = [one.pod(), two.pod()]
  const results = [one.add(a), two.add(b)] as const
  one.call('GC', undefined, { 'cni.dev/valid-attachments': [{ containerID: a.containerID, ifname: 'eth0' }] })
  const stops = [listen(b.netns, 'pod', 8080), listen(bed.wire, 'web', 8080)]
  for (const family of [4, 6] as const) {
    const [from, to] = results.map((result) => addressIn(result, family))
    expect(ask({ from: a.netns, to: to ?? '', port: 8080 })).toBe(`pod ${from}`)
    expect(ask({ from: a.netns, to: family === 4 ? WIRE_IPV4 : WIRE_IPV6, port: 8080 })).toBe(
      `web ${family === 4 ? one.ipv4 : one.ipv6}`,
    )
    expect(ask({ from: one.netns, to: to ?? '', port: 8080 })).toMatch(/^pod /)
  }
  expect(mustIn(one.netns, ['ip', 'link', 'show', 'flannel-v6.1'])).toContain('mtu 1430')
  expect(ipJson(a.netns, 'link', 'show', 'eth0')[0]?.['mtu']).toBe(1430)
  for (const stop of stops) stop()
})

test('podwire agent --once brings in peers that joined later', () => {
  const bed = makeVxlan(2)
  const [one, two] = nodesOf(bed)
  const a = one.pod()
  one.add(a)
  const to = addressIn(two.add(two.pod()))
  const once = [PODWIRE, 'agent', '--once', '--ip-masq', '--store-dir', bed.store, '--subnet-file', `${one.folder}/env`]
  mustIn(one.netns, [...once, '--state-dir', one.folder, '--run-dir', one.folder, '--healthz-port', '0'])
  expect(ping(a.netns, to)).toBe(true)
  expect(one.call('CHECK', a, { prevResult: { cniVersion: '1.1.0' } }).json).not.toMatchObject({
    msg: expect.stringContaining('flannel.1'),
  })
})

test('what is up already is left alone, to the last entry', () => {
  const bed = makeVxlan(2)
  const [one, two] = nodesOf(bed)
  two.add(two.pod())
  one.add(one.pod())
  const ofOverlay = (): readonly string[] => snapshot(one.netns).filter((line) => /flannel|podwire-overlay/.test(line))
  const before = ofOverlay()
  const monitor = spawn('nsenter', [`--net=/run/netns/${one.netns}`, 'ip', 'monitor', 'link', 'neigh', 'route'])
  const seen: string[] = []
  monitor.stdout.on('data', (text: Buffer) => seen.push(text.toString()))
  one.add(one.pod())
  monitor.kill()
  expect(ofOverlay()).toEqual(before)
  expect(
    seen
      .join('')
      .split('\n')
      .filter((line) => line.includes('flannel')),
  ).toEqual([])
})

interface Ended {
  readonly status: number
  readonly stdout: string
}

/** ADD of several pods at once. */
const addAll = (list: readonly (readonly [VxlanNode, PodBed])[]): Promise<readonly Ended[]> =>
  Promise.all(
    list.map(
      ([node, pod]) =>
        new Promise<Ended>((resolve) => {
          const [file = '', ...args] = inside(node.netns, [`${binDir()}/vxlan`])
          const env = {
            ...{ PATH: process.env['PATH'] ?? '', CNI_COMMAND: 'ADD', CNI_CONTAINERID: pod.containerID },
            ...{ CNI_IFNAME: 'eth0', CNI_NETNS: `/run/netns/${pod.netns}`, CNI_PATH: binDir() },
          }
          const child = spawn(file, args, { env })
          let stdout = ''
          child.stdout.on('data', (text: Buffer) => {
            stdout += text.toString()
          })
          child.on('close', (status) => resolve({ status: status ?? -1, stdout }))
          child.stdin.end(JSON.stringify(node.conf()))
        }),
    ),
  )

test('twenty first ADDs of a node at once: one lease, one device, twenty addresses', async () => {
  const bed = makeVxlan(1)
  const [one] = nodesOf(bed)
  const ended = await addAll(Array.from({ length: 20 }, () => [one, one.pod()] as const))
  expect(ended.filter(({ status }) => status !== 0)).toEqual([])
  const addresses = ended.map(({ stdout }) => addressIn(JSON.parse(stdout)))
  expect([new Set(addresses).size, Object.keys(leasesIn(bed.store)).length]).toEqual([20, 1])
  expect(ipJson(one.netns, 'link', 'show', 'type', 'vxlan')).toHaveLength(1)
}, 120_000)

test('first ADDs of eight nodes at once take eight subnets', async () => {
  const bed = makeVxlan(8)
  const ended = await addAll(bed.nodes.map((node) => [node, node.pod()] as const))
  expect(ended.filter(({ status }) => status !== 0)).toEqual([])
  expect(Object.keys(leasesIn(bed.store))).toHaveLength(8)
}, 120_000)

test('a node keeps its lease, and its address at the others, over a reboot', () => {
  const bed = makeVxlan(2)
  const [one] = nodesOf(bed)
  one.add(one.pod())
  const before = leasesIn(bed.store)
  shellIn(one.netns, 'ip link del flannel.1; ip link del cni0; nft flush ruleset')
  rmSync(one.folder, { recursive: true })
  one.add(one.pod())
  expect(leasesIn(bed.store)).toEqual(before)
})

test('a pod detached leaves device and lease; GC takes what is left of pods, and mends the device', () => {
  const bed = makeVxlan(2)
  const [one, two] = nodesOf(bed)
  const [kept, gone] = [one.pod(), one.pod()]
  const result = one.add(kept)
  two.add(two.pod())
  one.add(one.pod())
  const before = snapshot(one.netns)
  one.add(gone)
  rmSync(`${one.folder}/vxlan`, { recursive: true })
  rmSync(bed.store, { recursive: true })
  expect(one.call('DEL', gone)).toMatchObject({ status: 0, stdout: '' })
  expect(difference(before, snapshot(one.netns))).toEqual([])
  expect(one.call('CHECK', kept, { prevResult: result }).json).toMatchObject({ code: 100 })
})

test('GC without a pod leaves the node in the overlay', () => {
  const bed = makeVxlan(2)
  const [one, two] = nodesOf(bed)
  const b = two.pod()
  const to = addressIn(two.add(b))
  one.add(one.pod())
  two.add(two.pod())
  shellIn(one.netns, 'ip route flush dev flannel.1; ip neigh flush dev flannel.1 nud permanent')
  expect(one.call('GC', undefined, { 'cni.dev/valid-attachments': [] })).toMatchObject({ status: 0, stdout: '' })
  expect(ipJson(one.netns, 'link', 'show', 'type', 'veth').map(({ ifname }) => ifname)).toEqual(['eth0'])
  expect([ping(one.netns, to), Object.keys(leasesIn(bed.store)).length]).toEqual([true, 2])
})

test('leases as flanneld writes them are peers; what cannot be right is said and left out', () => {
  const bed = makeVxlan(2)
  const [one] = nodesOf(bed)
  one.add(one.pod())
  const write = (key: string, value: object): void =>
    writeFileSync(`${bed.store}/subnets/${key}.json`, JSON.stringify(value))
  // flannel pkg/lease LeaseAttrs, as `etcdctl get /coreos.com/network/subnets/…` prints it
  const lease = { PublicIP: '192.0.2.2', PublicIPv6: null, BackendType: 'vxlan' }
  write('10.244.200.0-24', { ...lease, BackendData: { VNI: 1, VtepMAC: '0e:00:00:00:00:02' } })
  // another one with this node's own address: the node keeps the subnet that its pods have
  write('10.244.1.0-24', { ...lease, PublicIP: '192.0.2.1', BackendData: { VNI: 1, VtepMAC: '0e:00:00:00:00:04' } })
  write('0.0.0.0-0', { ...lease, BackendData: { VNI: 1, VtepMAC: '0e:00:00:00:00:03' } })
  write('10.244.202.0-24', { ...lease, PublicIP: '192.0.2.9', BackendData: { VNI: 1, VtepMAC: 'ff:ff:ff:ff:ff:ff' } })
  const output = one.call('ADD', one.pod())
  expect(output.status).toBe(0)
  expect(routesOf(one)).toEqual(['10.244.200.0/24'])
  for (const key of ['0.0.0.0-0', '10.244.202.0-24'])
    expect(output.stderr).toContain(`podwire vxlan: lease ${key} is not used: `)
})

test('podwire plan shows device, peers and attachment, and changes nothing', () => {
  const bed = makeVxlan(2)
  const [one, two] = nodesOf(bed)
  two.add(two.pod())
  const list = `${one.folder}/10.conflist`
  const { name, cniVersion, ...plugin } = one.conf()
  writeFileSync(list, JSON.stringify({ cniVersion, name, plugins: [plugin] }))
  const before = snapshot(one.netns, [bed.store])
  const { stdout, status } = runIn(one.netns, [PODWIRE, 'plan', list])
  expect(status).toBe(0)
  for (const part of [/ip link add flannel\.1 .*vxlan id 1/, /192\.0\.2\.2/, /masquerade/, /veth/])
    expect(stdout).toMatch(part)
  expect(difference(before, snapshot(one.netns, [bed.store]))).toEqual([])
})

test('masqueraded by iptables, pods still see each other’s addresses and the outside the node', () => {
  const bed = makeVxlan(2, { masqueradeBackend: 'iptables' })
  const [one, two] = nodesOf(bed)
  const [a, b] = [one.pod(), two.pod()]
  const [from, to] = [addressIn(one.add(a)), addressIn(two.add(b))]
  one.add(one.pod())
  expect(mustIn(one.netns, ['iptables', '-t', 'nat', '-S'])).toContain('FLANNEL-POSTRTG')
  const stops = [listen(b.netns, 'pod', 8080), listen(bed.wire, 'web', 8080)]
  expect(ask({ from: a.netns, to, port: 8080 })).toBe(`pod ${from}`)
  expect(ask({ from: a.netns, to: WIRE_IPV4, port: 8080 })).toBe(`web ${one.ipv4}`)
  for (const stop of stops) stop()
})
