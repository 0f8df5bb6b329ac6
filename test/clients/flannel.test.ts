/** A node changed over in place between flannel's plugin and podwire's, with its pods running: each detaches what the other
 *  attached. The reference is the last `flannel` that Debian has. */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { snapshot } from '../support/leftovers.ts'
import { ipJson } from '../support/netns.ts'
import { makeNode, type NodeBed } from '../support/node.ts'
import { binDir, callPlugin, mustCall, type PluginOutput } from '../support/plugin.ts'
import { ping } from '../support/probe.ts'
import { olderPlugins } from './older-plugins.ts'

const makeBed = (pods: number): NodeBed => {
  const bed = makeNode(pods, 'flannel')
  const lines = ['NETWORK=10.244.0.0/16', 'SUBNET=10.244.1.1/24', 'MTU=1450', 'IPMASQ=true']
  writeFileSync(`${bed.folder}/subnet.env`, lines.map((line) => `FLANNEL_${line}\n`).join(''))
  return bed
}

const callOf = (bed: NodeBed, pod: number, more: object = {}) => ({
  ...{ node: bed.node, containerID: `c${pod}`, netns: bed.pods[pod] ?? '', ifName: 'eth0' },
  conf: {
    ...{ cniVersion: '0.4.0', name: 'cbr0', type: 'flannel', subnetFile: `${bed.folder}/subnet.env` },
    ...{ dataDir: `${bed.folder}/flannel`, delegate: { hairpinMode: true, isDefaultGateway: true } },
    ...{ ipam: { dataDir: `${bed.folder}/ipam` }, ...more },
  },
})

const add = (bin: string, bed: NodeBed, pod: number): object =>
  mustCall({ bin, verb: 'ADD', ...callOf(bed, pod) }) as object
const call = (bin: string, verb: string, bed: NodeBed, pod: number, more: object = {}): PluginOutput =>
  callPlugin({ bin, verb, ...callOf(bed, pod, more) })

const filesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? (readdirSync(folder, { recursive: true }) as string[]).filter((path) => statSync(`${folder}/${path}`).isFile())
    : []

/** Reservations, what is kept of attachments, and ports of the bridge. */
const leftIn = ({ node, folder }: NodeBed): readonly string[] => [
  ...filesIn(`${folder}/ipam/cbr0`).filter((name) => /^[0-9.]+$/.test(name)),
  ...filesIn(`${folder}/flannel`),
  ...ipJson(node, 'link', 'show', 'type', 'veth').flatMap(({ ifname }) => (ifname === 'up0' ? [] : [String(ifname)])),
]

const keptBy = (bin: string): unknown => {
  const bed = makeBed(1)
  add(bin, bed, 0)
  const kept = JSON.parse(readFileSync(`${bed.folder}/flannel/c0`, 'utf8'))
  return JSON.parse(JSON.stringify(kept).replaceAll(bed.folder, ''))
}

test('both keep the same for DEL, but that the reference knew one family', () => {
  const { ipam, ...theirs } = keptBy(olderPlugins()) as { ipam: { subnet: string } }
  const { subnet, ...sameIpam } = ipam
  expect(keptBy(binDir())).toEqual({ ...theirs, ipam: { ...sameIpam, ranges: [[{ subnet }]] } })
})

/** What the reference's bridge makes otherwise than podwire's is settings (accept_dad, arp_notify), which CHECK names. */
test('CHECK of a pod of the reference finds its lease in order, and DEL leaves nothing of it', () => {
  const bed = makeBed(1)
  const prevResult = add(olderPlugins(), bed, 0)
  const { json } = call(binDir(), 'CHECK', bed, 0, { prevResult })
  const { details = '' } = (json ?? {}) as { readonly details?: string }
  expect(details.split('\n').filter((line) => !line.startsWith('sysctl '))).toEqual([])
  expect(call(binDir(), 'DEL', bed, 0, { prevResult })).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(leftIn(bed)).toEqual([])
})

test('DEL of a pod of the reference needs neither its result nor its namespace, nor that the version stays', () => {
  const bed = makeBed(1)
  add(olderPlugins(), bed, 0)
  const { netns, ...rest } = callOf(bed, 0, { cniVersion: '1.1.0' })
  expect(netns).not.toBe('')
  expect(callPlugin({ bin: binDir(), verb: 'DEL', ...rest, env: { CNI_NETNS: '' } }).status).toBe(0)
  // the pair is named by chance: only the pod's end leads to it
  expect(leftIn(bed).filter((name) => !name.startsWith('veth'))).toEqual([])
})

test('the reference detaches a pod of podwire', () => {
  const bed = makeBed(1)
  const before = snapshot(bed.node).filter((line) => line.startsWith('nft') || line.startsWith('iptables'))
  add(binDir(), bed, 0)
  expect(call(olderPlugins(), 'DEL', bed, 0)).toMatchObject({ status: 0, stdout: '' })
  expect(leftIn(bed).filter((name) => !name.startsWith('.podwire/'))).toEqual([])
  const after = snapshot(bed.node).filter((line) => line.startsWith('nft') || line.startsWith('iptables'))
  expect(after.filter((line) => !before.includes(line) && line.includes('10.244.1.2'))).toEqual([])
})

test('podwire’s own DEL after the reference’s is a second DEL', () => {
  const bed = makeBed(1)
  add(binDir(), bed, 0)
  call(olderPlugins(), 'DEL', bed, 0)
  expect(call(binDir(), 'DEL', bed, 0)).toMatchObject({ status: 0, stdout: '' })
  expect(leftIn(bed)).toEqual([])
})

test('GC collects lost pods of the reference and leaves the living their network', () => {
  const bed = makeBed(3)
  add(olderPlugins(), bed, 0)
  add(olderPlugins(), bed, 1)
  add(binDir(), bed, 2)
  const valid = [0, 2].map((pod) => ({ containerID: `c${pod}`, ifname: 'eth0' }))
  const keys = { cniVersion: '1.1.0', 'cni.dev/valid-attachments': valid }
  expect(call(binDir(), 'GC', bed, 0, keys)).toMatchObject({ status: 0, stdout: '' })
  expect(
    leftIn(bed)
      .filter((name) => !name.startsWith('veth'))
      .toSorted(),
  ).toEqual([...['.podwire/cbr0/c2:eth0', '10.244.1.2', '10.244.1.4', 'c0', 'c2']])
  expect([ping(bed.pods[0] ?? '', '10.244.1.4'), ping(bed.pods[2] ?? '', '10.244.1.2')]).toEqual([true, true])
})
