/** `podwire agent`, the built executable, as the manifest runs it, against the server of our own over TLS. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import { inside, mustIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { makeUnderlay } from '../support/underlay.ts'
import { objectOf } from './manifest.ts'
import { makePki } from './pki.ts'
import { isReady, peersOf, routesOf, startPod } from './pod.ts'

const PEERS = 120
const TOKEN = 'of-the-pod'

const serve = (netns: string) => {
  const [pki, folder] = [makePki(), makeFolder('server')]
  const { key, cert } = pki.server('api', ['127.0.0.1'])
  const program = [process.execPath, '--import', 'tsx', `${import.meta.dirname}/serve.worker.ts`]
  const [file = '', ...argv] = inside(netns, [...program, key, cert, pki.ca, String(PEERS), `${folder}/url`])
  const child = spawn(file, argv, { stdio: ['pipe', 'inherit', 'inherit'] })
  onCleanup(() => child.kill('SIGKILL'))
  if (!waitFor(() => existsSync(`${folder}/url`), 30_000)) throw new Error('no server within 30 s')
  const asked = (): readonly string[] => readFileSync(`${folder}/url.asked`, 'utf8').split('\n').filter(Boolean)
  const order = (line: string) => child.stdin?.write(`${line}\n`)
  return { order, ca: pki.ca, asked, url: readFileSync(`${folder}/url`, 'utf8') }
}

interface Rules {
  readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[]
}

/** As `list nodes`, sorted. */
const granted = (): readonly string[] =>
  (objectOf('ClusterRole') as unknown as Rules).rules
    .flatMap(({ resources, verbs }) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)))
    .sort()

test('the agent in a pod of the manifest takes its lease, follows the nodes, and asks for what it is granted', () => {
  const netns = makeUnderlay(1, 'kube').nodes[0]?.netns ?? ''
  mustIn(netns, ['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  const server = serve(netns)
  const pod = startPod({
    netns,
    name: 'n1',
    folder: makeFolder('pod'),
    server: server.url,
    token: TOKEN,
    ca: server.ca,
  })
  const until = (condition: () => boolean, what: string): void =>
    expect(waitFor(condition, 20_000), `${what}\n${pod.log()}\n${server.asked().join('\n')}`).toBe(true)

  until(() => isReady(pod) && routesOf(pod).length === PEERS, 'ready, with every peer')
  expect(peersOf(pod)).toContain('0e:f1:00:00:00:02 192.0.2.2')
  const subnetEnv = (): string => readFileSync(`${pod.folder}/run/flannel/subnet.env`, 'utf8')
  expect(subnetEnv()).toContain('FLANNEL_SUBNET=10.244.255.1/24\n')

  server.order('remove the last node')
  until(() => routesOf(pod).length === PEERS - 1, 'one peer less')

  const watches = (): number => server.asked().filter((line) => line.startsWith('watch nodes')).length
  const before = watches()
  server.order('break connections')
  until(() => watches() > before, 'another watch')
  server.order('remove the last node')
  until(() => routesOf(pod).length === PEERS - 2, 'another peer less')
  expect(server.asked().filter((line) => line.startsWith('list nodes'))).toHaveLength(2)

  const patches = (): number => server.asked().filter((line) => line.startsWith('patch')).length
  const patched = patches()
  server.order('touch n1')
  until(() => patches() === patched + 1, 'the annotation is put back')
  server.order('move n1')
  until(() => subnetEnv().includes('FLANNEL_SUBNET=10.244.254.1/24\n'), 'the lease follows the podCIDR')

  const rights = server.asked().map((line) => line.split(' ').slice(0, 2).join(' '))
  expect([...new Set(rights)].sort()).toEqual(granted())
})
