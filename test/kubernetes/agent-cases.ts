/** `podwire agent` on nodes of a real cluster. */
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { must, run } from '../support/command.ts'
import { inside, mustIn } from '../support/netns.ts'
import { makeUnderlay, type UnderlayBed, type UnderlayNode } from '../support/underlay.ts'
import { annotateNode, type Cases, makeClusterNode, nodeOf, removeNodes } from './case.ts'
import type { Cluster } from './control-plane.ts'
import { applyManifest, tokenFor } from './manifest.ts'
import { flannelAnnotations, vxlanAnnotations } from './node-object.ts'
import { isReady, type Pod, peersOf, routesOf, startPod } from './pod.ts'
import { eventually } from './watching.ts'

/** The bed's `wire` and this process's own network are one. */
const connect = ({ wire }: UnderlayBed): void => {
  must(['ip', 'link', 'add', 'towire', 'type', 'veth', 'peer', 'name', 'toapi', 'netns', wire])
  must(['ip', 'link', 'set', 'towire', 'master', 'br0', 'up'])
  mustIn(wire, ['ip', 'link', 'set', 'toapi', 'master', 'wire', 'up'])
  onCleanup(() => run(['ip', 'link', 'del', 'towire']))
}

const reaches = (from: Pod, address: string): boolean =>
  run(inside(from.netns, ['ping', '-n', '-q', '-c', '1', '-W', '1', address])).status === 0

/** The VTEP of a node: the base address of its subnet. */
const vtepOf = (subnet: string): string => subnet.slice(0, subnet.indexOf('/'))

const until = async (pods: readonly Pod[], condition: () => boolean, what: string): Promise<void> => {
  try {
    await eventually(condition, what)
  } catch (error) {
    throw new Error(
      `${error}\n${pods.map((pod) => `${pod.name}: ${routesOf(pod).join(' ')}\n${pod.log()}`).join('\n')}`,
    )
  }
}

const subnetOf = async (cluster: Cluster, name: string): Promise<string> =>
  (await makeClusterNode(cluster, name)).spec.podCIDR ?? ''

export const agentCases: Cases = {
  'two agents in pods of the manifest, and a node of flanneld': async (cluster) => {
    await applyManifest(cluster)
    const bed = makeUnderlay(2, 'kube')
    connect(bed)
    const nodes = bed.nodes as [UnderlayNode, UnderlayNode]
    // as kubelet and kube-proxy need it, too
    for (const { netns } of nodes) mustIn(netns, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    const subnet1 = await subnetOf(cluster, 'a1')
    const subnet2 = await subnetOf(cluster, 'a2')
    const subnet3 = await subnetOf(cluster, 'f3')
    await annotateNode(cluster, 'f3', vxlanAnnotations(3))
    const common = { server: cluster.url, token: await tokenFor(cluster), ca: cluster.pki.ca }
    const options1 = { ...common, netns: nodes[0].netns, name: 'a1', folder: makeFolder('a1') }
    const a1 = startPod(options1)
    const a2 = startPod({ ...common, netns: nodes[1].netns, name: 'a2', folder: makeFolder('a2') })

    const both = [a1, a2]
    await until(both, () => both.every(isReady), 'both are ready')
    await until(both, () => both.every((pod) => routesOf(pod).length === 2), 'two peers each')
    deepEqual(routesOf(a1), [subnet2, subnet3].sort())
    ok(peersOf(a1).includes('0e:f1:00:00:00:03 192.0.2.3'))
    await until(both, () => reaches(a1, vtepOf(subnet2)) && reaches(a2, vtepOf(subnet1)), 'they reach each other')
    const own = await nodeOf(cluster, 'a1')
    equal(own.metadata.annotations?.['flannel.alpha.coreos.com/public-ip'], '192.0.2.1')
    equal(own.status?.conditions?.find(({ type }) => type === 'NetworkUnavailable')?.status, 'False')
    ok(readFileSync(`${a1.folder}/run/flannel/subnet.env`, 'utf8').includes('FLANNEL_NETWORK=10.244.0.0/16'))

    await annotateNode(cluster, 'f3', flannelAnnotations({ 'public-ip': '192.0.2.33' }))
    const moved = '0e:f1:00:00:00:03 192.0.2.33'
    await until(both, () => both.every((pod) => peersOf(pod).includes(moved)), 'the new address')

    a1.kill()
    await cluster.stopApiServer()
    ok(reaches(a2, vtepOf(subnet1)), 'without an agent there and without an API server the data path stays')
    const again = startPod(options1)
    await cluster.startApiServer()
    await cluster.api('DELETE', '/api/v1/nodes/f3')
    const rest = [again, a2]
    await until(rest, () => rest.every((pod) => isReady(pod) && routesOf(pod).length === 1), 'one peer each')
    ok(reaches(again, vtepOf(subnet2)))
    for (const pod of rest) pod.kill()
    await removeNodes(cluster)
  },
}
