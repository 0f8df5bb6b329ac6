/** Nodes of `support/underlay.ts` with the plugin `vxlan`, one store for all of them, and files of their own:
 *
 *      pod N.i -- [ cni0  node N  flannel.1 ] === eth0 192.0.2.N === wire 192.0.2.254
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import type { PrintedResult } from '../support/attachment.ts'
import { makeFolder } from '../support/cleanup.ts'
import { makeNetns } from '../support/netns.ts'
import { binDir, callPlugin, type PluginOutput } from '../support/plugin.ts'
import { makeUnderlay, type UnderlayNode } from '../support/underlay.ts'

export const NET_CONF = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } }
export const DUAL = { ...NET_CONF, EnableIPv6: true, IPv6Network: 'fd00:244::/48' }

export interface PodBed {
  /** Name of its namespace. */
  readonly netns: string
  readonly containerID: string
}

export interface VxlanNode extends UnderlayNode {
  /** What the plugin is given; `more` over it. */
  readonly conf: (more?: object) => Readonly<Record<string, unknown>>
  /** Folder of the delegate's files. */
  readonly folder: string
  readonly pod: () => PodBed
  readonly call: (verb: string, pod: PodBed | undefined, more?: object) => PluginOutput
  /** ADD, which must succeed. */
  readonly add: (pod: PodBed, more?: object) => PrintedResult
}

export interface VxlanBed {
  readonly wire: string
  readonly store: string
  readonly nodes: readonly VxlanNode[]
}

let pods = 0

const makeNode = (node: UnderlayNode, store: string, keys: object): VxlanNode => {
  const folder = makeFolder('vxlan')
  const conf: VxlanNode['conf'] = (more = {}) => ({
    ...{ cniVersion: '1.1.0', name: 'pods', type: 'vxlan', store: { dir: store }, netConf: NET_CONF },
    ...{ dataDir: `${folder}/vxlan`, delegate: { isDefaultGateway: true }, ipam: { dataDir: `${folder}/ipam` } },
    ...keys,
    ...more,
  })
  const call: VxlanNode['call'] = (verb, pod, more = {}) =>
    callPlugin({
      ...{ bin: binDir(), node: node.netns, verb, conf: conf(more) },
      ...(pod === undefined ? {} : { containerID: pod.containerID, netns: pod.netns, ifName: 'eth0' }),
    })
  const add: VxlanNode['add'] = (pod, more) => {
    const output = call('ADD', pod, more)
    if (output.status !== 0) throw new Error(`ADD: ${output.stdout}${output.stderr}`)
    return output.json as PrintedResult
  }
  const pod = (): PodBed => {
    pods += 1
    return { netns: makeNetns(`pod${pods}`), containerID: `c${pods}` }
  }
  return { ...node, folder, conf, call, add, pod }
}

/** The bed drawn above. @param keys of the plugin, for every node */
export const makeVxlan = (count: number, keys: object = {}): VxlanBed => {
  const { wire, nodes } = makeUnderlay(count, 'vx')
  const store = `${makeFolder('store')}/overlay`
  return { wire, store, nodes: nodes.map((node) => makeNode(node, store, keys)) }
}

/** The pod's address of a family, without its length. */
export const addressIn = ({ ips }: PrintedResult, family: 4 | 6 = 4): string =>
  ips.map(({ address }) => address.split('/')[0] ?? '').find((ip) => ip.includes(':') === (family === 6)) ?? ''

/** Values of the leases in the store, by key. */
export const leasesIn = (store: string): Readonly<Record<string, Record<string, unknown>>> => {
  mkdirSync(`${store}/subnets`, { recursive: true })
  const names = readdirSync(`${store}/subnets`).filter((name) => name.endsWith('.json') && !name.startsWith('.'))
  return Object.fromEntries(
    names.map((name) => [name.slice(0, -5), JSON.parse(readFileSync(`${store}/subnets/${name}`, 'utf8'))]),
  )
}
