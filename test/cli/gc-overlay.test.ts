/** `podwire gc` of networks whose plugin has `bridge` attach the pods and takes host-local without saying so. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder, removeNetns } from '../support/cleanup.ts'
import { makeNetns, pathOf, runIn, shellIn } from '../support/netns.ts'
import { binDir } from '../support/plugin.ts'
import { waitFor } from '../support/probe.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

const LEASE = 'FLANNEL_NETWORK=10.172.0.0/16\nFLANNEL_SUBNET=10.172.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n'
const NET_CONF = { Network: '10.171.0.0/16', Backend: { Type: 'vxlan', VNI: 71 } }

test.each([
  ['flannel', (folder: string) => ({ subnetFile: `${folder}/subnet.env` })],
  ['vxlan', (folder: string) => ({ iface: ['up0'], netConf: NET_CONF, store: { dir: `${folder}/leases` } })],
])('%s: a lost pod of which the runtime knows nothing any more is collected, a living one stays', (type, keys) => {
  const folder = makeFolder('gc')
  const node = makeNetns('node')
  shellIn(node, 'ip link add up0 type bridge; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up')
  mkdirSync(`${folder}/net.d`)
  writeFileSync(`${folder}/subnet.env`, LEASE)
  const plugin = { type, ...keys(folder), dataDir: `${folder}/kept`, ipam: { dataDir: `${folder}/store` } }
  writeFileSync(
    `${folder}/net.d/pods.conflist`,
    JSON.stringify({ cniVersion: '1.0.0', cniVersions: ['1.0.0', '1.1.0'], name: 'pods', plugins: [plugin] }),
  )
  const env = { PATH: process.env.PATH ?? '', NETCONFPATH: `${folder}/net.d`, CNI_PATH: binDir() }
  const podwire = (...args: readonly string[]) =>
    runIn(node, [PODWIRE, ...args, '--cache-dir', `${folder}/cache`], { env })
  const pods = ['live', 'lost'].map((id) => {
    const pod = makeNetns(id)
    expect(podwire('run', 'add', 'pods', pathOf(pod), '--container-id', id).status).toBe(0)
    return pod
  })
  const reserved = (): readonly string[] => readdirSync(`${folder}/store/pods`).filter((name) => /^10\./.test(name))
  expect(reserved()).toHaveLength(2)
  rmSync(`${folder}/cache/results`, { recursive: true, force: true })
  removeNetns(pods[1] ?? '')
  const collected = waitFor(() => {
    podwire('gc', 'pods', '--from', 'netns', '--grace', '0')
    return reserved().length === 1
  })
  expect(collected).toBe(true)
  expect(readdirSync(`${folder}/kept`).filter((name) => !name.startsWith('.'))).toEqual(['live'])
  expect(runIn(pods[0] ?? '', ['ip', 'addr', 'show', 'eth0']).stdout).toContain(reserved()[0])
})
