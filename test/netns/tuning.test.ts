/** tuning as an executable, alone and together with the reference plugin, in both directions. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { ipJson, makeNetns, mustIn, pathOf, shellIn } from '../support/netns.ts'
import { binDir, callPlugin, mustCall, type PluginCall, REFERENCE } from '../support/plugin.ts'

const MAC = '02:11:22:33:44:55'
const SYSCTL = 'net/ipv4/conf/eth0/arp_filter'

interface Bed {
  readonly node: string
  readonly pod: string
  readonly dataDir: string
  readonly call: (verb: string, keys?: object, more?: Partial<PluginCall>) => ReturnType<typeof callPlugin>
  readonly must: (verb: string, keys?: object, more?: Partial<PluginCall>) => unknown
}

const makeBed = (): Bed => {
  const node = makeNetns('tuning-node')
  const pod = makeNetns('tuning-pod')
  const dataDir = `${makeFolder('tuning')}/data`
  shellIn(node, `ip link add host0 type veth peer name eth0 netns ${pod}`)
  shellIn(pod, 'ip link set lo up; ip link set eth0 up')
  const prevResult = {
    interfaces: [{ name: 'host0' }, { name: 'eth0', mac: '0a:00:00:00:00:01', sandbox: pathOf(pod) }],
    ips: [{ address: '10.1.2.3/24', interface: 1 }],
  }
  const conf = (keys: object) => ({ cniVersion: '1.1.0', name: 'net', type: 'tuning', dataDir, prevResult, ...keys })
  const base = { bin: binDir(), node, containerID: 'cid', netns: pod, ifName: 'eth0' }
  return {
    node,
    pod,
    dataDir,
    call: (verb, keys = {}, more = {}) => callPlugin({ ...base, verb, conf: conf(keys), ...more }),
    must: (verb, keys = {}, more = {}) => mustCall({ ...base, verb, conf: conf(keys), ...more }),
  }
}

const KEYS = { mac: MAC, mtu: 1300, promisc: true, allmulti: true, txQLen: 777 }
const SYSCTLS = { sysctl: { 'net.ipv4.conf.IFNAME.arp_filter': '1', 'net.core.somaxconn': '500' } }

/** txQLen is younger than the reference. */
const { txQLen: _, ...REFERENCE_KEYS } = KEYS

const stateOf = (pod: string): unknown => {
  const [link] = ipJson(pod, 'link', 'show', 'eth0')
  const flags = (link?.flags ?? []) as string[]
  return {
    mac: link?.address,
    mtu: link?.mtu,
    txQLen: link?.txqlen,
    promisc: flags.includes('PROMISC'),
    allmulti: flags.includes('ALLMULTI'),
  }
}
const sysctl = (pod: string, path: string): string => mustIn(pod, ['cat', `/proc/sys/${path}`])

test('ADD sets everything, CHECK finds it, DEL puts the attributes back and leaves no file', () => {
  const { pod, dataDir, call, must } = makeBed()
  const before = stateOf(pod)
  const result = must('ADD', { ...KEYS, ...SYSCTLS })
  expect(stateOf(pod)).toEqual(KEYS)
  expect([sysctl(pod, SYSCTL), sysctl(pod, 'net/core/somaxconn')]).toEqual(['1', '500'])
  expect(result).toMatchObject({
    interfaces: [{ name: 'host0' }, { name: 'eth0', mac: MAC, mtu: 1300, sandbox: pathOf(pod) }],
    ips: [{ address: '10.1.2.3/24', interface: 1 }],
  })
  expect(call('CHECK', { ...KEYS, ...SYSCTLS }).status).toBe(0)
  must('DEL', { ...KEYS, ...SYSCTLS })
  expect(stateOf(pod)).toEqual(before)
  expect(readdirSync(dataDir)).toEqual([])
  must('DEL', { ...KEYS, ...SYSCTLS })
})

test.for([
  ['mac', 'ip link set eth0 address 02:00:00:00:00:09', 'mac'],
  ['mtu', 'ip link set eth0 mtu 1400', 'mtu'],
  ['promisc', 'ip link set eth0 promisc off', 'promisc'],
  ['allmulti', 'ip link set eth0 allmulticast off', 'allmulti'],
  ['txQLen', 'ip link set eth0 txqueuelen 1', 'txQLen'],
  ['a sysctl', 'echo 0 > /proc/sys/net/ipv4/conf/eth0/arp_filter', 'arp_filter'],
  ['the interface', 'ip link del eth0', 'eth0'],
] as const)('CHECK fails after %s changed', ([, script, named]) => {
  const { pod, call, must } = makeBed()
  must('ADD', { ...KEYS, ...SYSCTLS })
  shellIn(pod, script)
  const { status, json } = call('CHECK', { ...KEYS, ...SYSCTLS })
  expect({ status, json }).toMatchObject({ status: 1, json: { msg: expect.stringContaining(named) } })
})

test('ADD that fails half-way puts everything back', () => {
  const { pod, dataDir, call } = makeBed()
  const before = stateOf(pod)
  for (const wrong of [
    { mtu: 1 },
    { mac: 'ff:ff:ff:ff:ff:ff' },
    { sysctl: { ...SYSCTLS.sysctl, 'net.core.no_such': '1' } },
  ]) {
    const { status, json } = call('ADD', { ...KEYS, ...SYSCTLS, ...wrong })
    expect({ status, json }).toMatchObject({ status: 1, json: { code: 102 } })
    expect(stateOf(pod)).toEqual(before)
    expect([sysctl(pod, SYSCTL), existsSync(dataDir) ? readdirSync(dataDir) : []]).toEqual(['0', []])
  }
})

test('the node keeps its own sysctls', () => {
  const { node, must } = makeBed()
  const before = sysctl(node, 'net/core/somaxconn')
  must('ADD', SYSCTLS)
  expect([before, sysctl(node, 'net/core/somaxconn')]).not.toContain('500')
})

test.for([
  ['podwire attaches, the reference detaches', 'podwire'],
  ['the reference attaches, podwire detaches', 'reference'],
] as const)('%s', ([, who]) => {
  const [first, second] = who === 'podwire' ? [binDir(), REFERENCE] : [REFERENCE, binDir()]
  const { pod, dataDir, call, must } = makeBed()
  const before = stateOf(pod)
  // the reference's CHECK does not replace IFNAME
  const keys = { ...REFERENCE_KEYS, sysctl: { 'net.core.somaxconn': '500' }, cniVersion: '1.0.0' }
  must('ADD', keys, { bin: first })
  expect(stateOf(pod)).toMatchObject(REFERENCE_KEYS)
  expect(call('CHECK', keys, { bin: second })).toMatchObject({ status: 0, stdout: '' })
  must('DEL', keys, { bin: second })
  expect([stateOf(pod), readdirSync(dataDir)]).toEqual([before, []])
})

test('both keep the same backup', () => {
  const ours = makeBed()
  const theirs = makeBed()
  const keys = { ...REFERENCE_KEYS, cniVersion: '1.0.0' }
  ours.must('ADD', keys)
  theirs.must('ADD', keys, { bin: REFERENCE })
  const read = ({ dataDir }: Bed): object => JSON.parse(readFileSync(`${dataDir}/cid_eth0.json`, 'utf8'))
  expect(read(ours)).toEqual({ ...read(theirs), mac: expect.any(String), owner: 'net/cid/eth0' })
  expect(read(theirs)).toMatchObject({ mtu: 1500, promisc: false, allmulti: false })
})

test('two tunings in one list: DEL restores the state before the first', () => {
  const { pod, must } = makeBed()
  const before = stateOf(pod)
  must('ADD', { mtu: 1300 })
  must('ADD', { mtu: 1200, txQLen: 5 })
  must('DEL', { mtu: 1200, txQLen: 5 })
  must('DEL', { mtu: 1300 })
  expect(stateOf(pod)).toEqual(before)
})

const SPOILS: readonly (readonly [what: string, spoil: (bed: Bed) => Partial<PluginCall>])[] = [
  ['no namespace', () => ({ env: { CNI_NETNS: undefined } })],
  ['a namespace that is gone', () => ({ netns: '/run/netns/pw-no-such' })],
  ['a backup cut short', ({ dataDir }) => spoilBackup(dataDir, '{"mtu":')],
  ['a backup of another shape', ({ dataDir }) => spoilBackup(dataDir, '[{"mtu":"x"}]')],
  ['a backup the kernel refuses', ({ dataDir }) => spoilBackup(dataDir, '{"mac":"ff:ff:ff:ff:ff:ff","mtu":1}')],
  ['an interface that is gone', ({ pod }) => ({ ifName: shellIn(pod, 'ip link del eth0; echo eth0') })],
]
const spoilBackup = (dataDir: string, text: string): Partial<PluginCall> => {
  writeFileSync(`${dataDir}/cid_eth0.json`, text)
  return {}
}

test.for(SPOILS)('DEL succeeds with %s', ([, spoil]) => {
  const bed = makeBed()
  bed.must('ADD', { mtu: 1400 })
  bed.must('DEL', { mtu: 1400 }, spoil(bed))
  expect(readdirSync(bed.dataDir)).toEqual([])
})

test('a symbolic link in dataDir is not followed', () => {
  const { dataDir, call, must } = makeBed()
  mkdirSync(dataDir)
  const victim = `${dataDir}/../victim`
  writeFileSync(victim, '{"mtu":600}')
  symlinkSync(victim, `${dataDir}/cid_eth0.json`)
  expect(call('ADD', { mtu: 1400 })).toMatchObject({ status: 1, json: { code: 5 } })
  must('DEL', { mtu: 1400 })
  expect([readFileSync(victim, 'utf8'), readdirSync(dataDir)]).toEqual(['{"mtu":600}', []])
})

test('GC removes the backups of this network that have no valid owner', () => {
  const { dataDir, must } = makeBed()
  must('ADD', { mtu: 1400 })
  must('ADD', { mtu: 1400 }, { containerID: 'gone' })
  must('ADD', { mtu: 1400, name: 'other' }, { containerID: 'gone2' })
  writeFileSync(`${dataDir}/reference_eth0.json`, '{"mtu":1500}')
  const valid = [{ containerID: 'cid', ifname: 'eth0' }]
  must('GC', { mtu: 1400, prevResult: undefined, 'cni.dev/valid-attachments': valid })
  expect(readdirSync(dataDir).sort()).toEqual(['cid_eth0.json', 'gone2_eth0.json', 'reference_eth0.json'])
})

test('the allowlist of the node binds ADD and STATUS', () => {
  const { pod, call } = makeBed()
  const file = `${makeFolder('allowlist')}/allowlist.conf`
  writeFileSync(file, '^net\\.core\\.\n')
  const script = `mount -t tmpfs none /etc && mkdir -p /etc/cni/tuning && cp ${file} /etc/cni/tuning && exec "$@"`
  const wrap = ['unshare', '-m', 'sh', '-euc', script, 'sh']
  const refused = call('ADD', SYSCTLS, { wrap })
  expect(refused).toMatchObject({ status: 1, json: { code: 7, msg: expect.stringContaining('IFNAME.arp_filter') } })
  expect(sysctl(pod, SYSCTL)).toBe('0')
  expect(call('STATUS', { ...SYSCTLS, prevResult: undefined }, { wrap })).toMatchObject({
    status: 1,
    json: { code: 50 },
  })
  const allowed = { sysctl: { 'net.core.somaxconn': '77' } }
  expect(call('ADD', allowed, { wrap }).status).toBe(0)
  expect(call('STATUS', { ...allowed, prevResult: undefined }, { wrap }).status).toBe(0)
})

test('ADD refuses what names a key twice, what lies outside net, and a list that begins with tuning', () => {
  const { call } = makeBed()
  const text = `{"cniVersion":"1.0.0","name":"net","type":"tuning","prevResult":{},"sysctl":{"net.core.somaxconn":"1","net.core.somaxconn":"2"}}`
  expect(call('ADD', {}, { conf: text, type: 'tuning' })).toMatchObject({
    status: 1,
    json: { code: 7, msg: expect.stringContaining('twice') },
  })
  expect(call('ADD', { sysctl: { 'kernel.shmmax': '1' } })).toMatchObject({ status: 1, json: { code: 7 } })
  expect(call('ADD', { mtu: 1400, prevResult: undefined })).toMatchObject({ status: 1, json: { code: 7 } })
})
