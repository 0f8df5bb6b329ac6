/** `vxlan` when something is wrong: what is refused and how it is said, what a failed ADD leaves, what STATUS and CHECK find. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { difference, snapshot } from '../support/leftovers.ts'
import { ipJson, shellIn } from '../support/netns.ts'
import { ping } from '../support/probe.ts'
import { leasesIn, makeVxlan, NET_CONF, type VxlanBed, type VxlanNode } from './vxlan-plugin.bed.ts'

const only = ({ nodes }: VxlanBed): VxlanNode => nodes[0] as VxlanNode

/** Forwarding is switched on once and stays, as with every plugin that needs it. */
const left = (before: readonly string[], { netns, folder }: VxlanNode): readonly string[] =>
  difference(before, snapshot(netns, [`${folder}/vxlan`, `${folder}/ipam/pods`])).filter(
    (line) => !/sysctl.*(ip_forward|forwarding) [01]$|\/(lock|last_reserved_ip\.\d) /.test(line),
  )

test.for<[what: string, prepare: string, code: number, said: string]>([
  ['the pod has the interface', '', 103, 'delegate bridge: CNI_IFNAME eth0 exists already'],
  [
    'somebody has the VNI',
    'ip link add other type vxlan id 1 dev eth0 dstport 8472',
    102,
    'the overlay cannot be brought up: ',
  ],
])('a first ADD that fails because %s leaves neither device nor lease', ([, prepare, code, said]) => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const pod = node.pod()
  if (prepare === '') shellIn(pod.netns, 'ip link add eth0 type veth peer name other')
  else shellIn(node.netns, prepare)
  const before = snapshot(node.netns, [`${node.folder}/vxlan`, `${node.folder}/ipam/pods`])
  expect(node.call('ADD', pod).json).toMatchObject({ code, msg: expect.stringContaining(said) })
  expect([left(before, node), leasesIn(bed.store)]).toEqual([[], {}])
})

test('a later ADD that fails leaves the overlay and the pods as they are', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const [kept, late] = [node.pod(), node.pod()]
  const result = node.add(kept)
  shellIn(late.netns, 'ip link add eth0 type veth peer name other')
  const before = snapshot(node.netns, [node.folder, bed.store])
  expect(node.call('ADD', late).json).toMatchObject({ code: 103 })
  expect(difference(before, snapshot(node.netns, [node.folder, bed.store]))).toEqual([])
  expect(node.call('CHECK', kept, { prevResult: result }).stdout).toBe('')
})

const backend = (keys: object): object => ({ ...NET_CONF, Backend: { Type: 'vxlan', ...keys } })

test.for<[keys: object, code: number, said: string]>([
  [{ netConf: backend({ VNI: 2 ** 24 }) }, 7, '$.netConf.Backend.VNI: 16777216 '],
  [{ netConf: backend({ Type: 'host-gw' }) }, 7, '$.netConf.Backend.Type: "host-gw" is not "vxlan"'],
  [{ netConf: { Network: '10.244.0.0/33' } }, 7, '$.netConf.Network: "10.244.0.0/33" '],
  [{ netConf: { Network: '10.244.0.0/16', SubnetLen: 31 } }, 7, '$.netConf.SubnetLen: 31 '],
  [{ netConf: { ...NET_CONF, Network: '192.0.0.0/16' } }, 7, 'Network: '],
  [{ netConf: undefined }, 11, 'config.json": write the network configuration there'],
  [{ netConf: undefined, store: { dir: '/proc/none' } }, 11, '"/proc/none/config.json"'],
  [{ iface: ['nope0'] }, 7, '$.iface: there is no interface "nope0", only '],
  [{ ifaceRegex: ['('] }, 7, '$.ifaceRegex[0]: "("'],
  [{ ifaceRegex: ['^203'] }, 7, '$.ifaceRegex: "^203" matches no address or name of '],
  [{ ifaceCanReach: 'there' }, 7, '$.ifaceCanReach: "there"'],
  [{ publicIP: '2001:db8::1' }, 7, '$.publicIP: "2001:db8::1" is not an IPv4 address'],
  [{ publicIPv6: '::x' }, 7, '$.publicIPv6: "::x"'],
  [{ store: { type: 'consul' } }, 7, '$.store.type: "consul" is not one of "file", "etcd", "kubernetes"'],
  [{ store: { dir: 'here' } }, 7, '$.store.dir: "here" is not an absolute path'],
  [{ delegate: { ipam: {} } }, 7, '$.delegate.ipam: {} must not be there: vxlan sets it, from $.ipam'],
  [{ delegate: { type: 'vxlan' } }, 7, '$.delegate.type: "vxlan" would delegate to itself'],
])('refuses %j and touches nothing', ([keys, code, said]) => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const before = snapshot(node.netns, [node.folder, bed.store])
  const { status, json, stderr } = node.call('ADD', node.pod(), keys)
  expect([status, json, stderr]).toMatchObject([1, { code, msg: expect.stringContaining(said) }, ''])
  expect(difference(before, snapshot(node.netns, [node.folder, bed.store]))).toEqual([])
})

test('refuses a network configuration other than the store’s, and one of the store that is wrong', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  node.add(node.pod())
  const refused = (): object => node.call('ADD', node.pod(), { netConf: backend({ VNI: 7 }) }).json as object
  expect(refused()).toMatchObject({
    code: 7,
    msg: expect.stringMatching(/^\$\.netConf: is not what ".*config\.json" says/),
  })
  writeFileSync(`${bed.store}/config.json`, '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "VNI": "one"}}')
  expect(refused()).toMatchObject({ code: 7, msg: expect.stringContaining(`config.json $.Backend.VNI: "one"`) })
})

test('the store’s own network configuration is enough', () => {
  const bed = makeVxlan(1, { netConf: undefined })
  const node = only(bed)
  mkdirSync(bed.store)
  writeFileSync(`${bed.store}/config.json`, JSON.stringify({ ...NET_CONF, SubnetLen: 26 }))
  expect(node.add(node.pod()).ips[0]?.address).toMatch(/\/26$/)
})

test('a first configuration is written for the others, as it was given', () => {
  const bed = makeVxlan(1, { netConf: { ...NET_CONF, comment: 'ours' } })
  only(bed).add(only(bed).pod())
  expect(JSON.parse(readFileSync(`${bed.store}/config.json`, 'utf8'))).toEqual({ ...NET_CONF, comment: 'ours' })
})

test('STATUS is 50 for what would keep ADD from working, and changes nothing', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const before = snapshot(node.netns, [node.folder, bed.store])
  const small = { Network: '10.244.0.0/24', SubnetLen: 26, Backend: { Type: 'vxlan' } }
  expect(node.call('STATUS', undefined)).toMatchObject({ status: 0, stdout: '', stderr: '' })
  for (const [keys, said] of [
    [{ iface: ['nope0'] }, '$.iface: there is no interface "nope0"'],
    [{ netConf: undefined }, 'write the network configuration there'],
    [{ store: { dir: '/proc/1/none' } }, 'cannot write "/proc/1"'],
    [{ delegate: { type: 'macvtap' } }, 'delegate macvtap is not available'],
  ] as const)
    expect(node.call('STATUS', undefined, keys).json).toMatchObject({ code: 50, msg: expect.stringContaining(said) })
  expect(difference(before, snapshot(node.netns, [node.folder, bed.store]))).toEqual([])
  mkdirSync(`${bed.store}/subnets`, { recursive: true })
  for (const [i, key] of [0, 64, 128, 192].map((base) => `10.244.0.${base}-26`).entries())
    writeFileSync(`${bed.store}/subnets/${key}.json`, `{"PublicIP":"192.0.2.${i + 50}","BackendType":"vxlan"}`)
  expect(node.call('STATUS', undefined, { netConf: small }).json).toMatchObject({
    ...{ code: 50, msg: expect.stringContaining('no subnet is free in "10.244.0.0/24"') },
  })
})

test('STATUS says which peers the kernel does not know yet', () => {
  const bed = makeVxlan(2)
  const [one, two] = bed.nodes as readonly [VxlanNode, VxlanNode]
  one.add(one.pod())
  two.add(two.pod())
  expect(one.call('STATUS', undefined)).toMatchObject({
    ...{ status: 0, stdout: '', stderr: expect.stringContaining('3 entries of peers are not in the kernel') },
  })
  one.add(one.pod())
  expect(one.call('STATUS', undefined).stderr).toBe('')
})

test.for<[what: string, damage: string, said: RegExp]>([
  ['the device', 'ip link del flannel.1', /flannel\.1/],
  ['its address', 'ip addr flush dev flannel.1', /10\.244\.\d+\.0\/32/],
  ['a route of a peer', 'ip route flush dev flannel.1 proto 112', /10\.244\.\d+\.0\/24/],
  ['a neighbour of a peer', 'ip neigh flush dev flannel.1 nud permanent', /10\.244\.\d+\.0/],
  [
    'a forwarding entry',
    'bridge fdb flush dev flannel.1 2>/dev/null || bridge fdb show dev flannel.1 | while read mac x; do bridge fdb del $mac dev flannel.1 dst 192.0.2.2; break; done',
    /192\.0\.2\.2/,
  ],
  ['the masquerading', 'nft delete table inet podwire-overlay', /podwire-overlay/],
  [
    'the port of the pod',
    'ip link set $(ip -br link | grep -o "^veth[0-9a-f]*" | head -1) nomaster',
    /is not a port of cni0/,
  ],
])('CHECK finds %s gone, and the next ADD mends what is the overlay’s', ([what, damage, said]) => {
  const bed = makeVxlan(2)
  const [one, two] = bed.nodes as readonly [VxlanNode, VxlanNode]
  two.add(two.pod())
  const pod = one.pod()
  const result = one.add(pod)
  const check = (): object => one.call('CHECK', pod, { prevResult: result })
  expect(check()).toMatchObject({ status: 0, stdout: '' })
  shellIn(one.netns, damage)
  expect(check()).toMatchObject({ json: { code: 100, details: expect.stringMatching(said) } })
  if (what === 'the port of the pod') return
  one.add(one.pod())
  expect(check()).toMatchObject({ status: 0, stdout: '' })
})

test('CHECK finds the lease gone; the next ADD takes the same subnet again', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const pod = node.pod()
  const result = node.add(pod)
  const before = leasesIn(bed.store)
  rmSync(`${bed.store}/subnets`, { recursive: true })
  expect(node.call('CHECK', pod, { prevResult: result }).json).toMatchObject({
    ...{ code: 100, msg: expect.stringContaining('the store has no lease of this node') },
  })
  node.add(node.pod())
  expect(leasesIn(bed.store)).toEqual(before)
  expect(ping(pod.netns, result.ips[0]?.gateway ?? '')).toBe(true)
})

test('a pod that was attached to another subnet is found by CHECK', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const pod = node.pod()
  const result = node.add(pod)
  rmSync(`${bed.store}/subnets`, { recursive: true })
  shellIn(node.netns, 'ip link del flannel.1; ip link del cni0')
  for (const key of Object.keys(leasesIn(bed.store))) expect(key).toBe('')
  writeFileSync(`${bed.store}/subnets/10.244.250.0-24.json`, '{"PublicIP":"192.0.2.1","BackendType":"vxlan"}')
  node.add(node.pod())
  expect(node.call('CHECK', pod, { prevResult: result }).json).toMatchObject({
    details: expect.stringContaining('the node has ["10.244.250.0/24"]'),
  })
})

test('DEL gives up a pod’s address and interface, whatever has become of store and files', () => {
  const bed = makeVxlan(1)
  const node = only(bed)
  const pod = node.pod()
  node.add(pod)
  rmSync(bed.store, { recursive: true })
  rmSync(`${node.folder}/vxlan`, { recursive: true })
  for (let i = 0; i < 2; i++)
    expect(node.call('DEL', { ...pod, netns: '/run/netns/none' }, { netConf: undefined })).toMatchObject({
      status: 0,
      stdout: '',
    })
  expect(ipJson(node.netns, 'link').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0', 'flannel.1', 'cni0'])
})
