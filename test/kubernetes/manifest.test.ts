/** The ready manifest says what podwire understands. `agent.test.ts` runs it, `npm run kubernetes` has it accepted. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { OPTION_TABLE } from '../../agent/option-table.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { agentContainer, configuration, manifestObjects, podSpec } from './manifest.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const PODWIRE = `${ROOT}dist/podwire`

test('every object is of the manifest’s namespace or of none', () => {
  expect(
    manifestObjects().map(({ kind, metadata: { namespace = '-', name } }) => `${kind} ${namespace}/${name}`),
  ).toEqual([
    'Namespace -/podwire',
    'ServiceAccount podwire/podwire',
    'ClusterRole -/podwire',
    'ClusterRoleBinding -/podwire',
    'ConfigMap podwire/podwire',
    'DaemonSet podwire/podwire',
  ])
})

test('the network configuration is one, and the list has a schema for every plugin', () => {
  const { 'net-conf.json': netConf = '', 'cni-conf.json': list = '' } = configuration()
  expect(parseNetConf(netConf)).toMatchObject({ ipv4: { network: '10.244.0.0/16' }, backend: { kind: 'vxlan' } })
  const { plugins } = JSON.parse(list) as { readonly plugins: readonly { readonly type: string }[] }
  const schemas = readdirSync(`${ROOT}conf/schemas`)
  expect(plugins.filter(({ type }) => !schemas.includes(`${type}.json`))).toEqual([])
})

test('the agent takes its arguments, and serves its probes where they look', () => {
  const { command, args, livenessProbe, readinessProbe } = agentContainer()
  expect(command[0]).toBe('podwire')
  const printed = JSON.parse(must([PODWIRE, ...command.slice(1), ...args, '--print-config', '--json'])) as Readonly<
    Record<string, unknown>
  >
  expect(JSON.stringify(printed)).toContain('kubernetes')
  const defaultOf = (key: string) => OPTION_TABLE.find((option) => option.key === key)?.default
  for (const probe of [livenessProbe, readinessProbe])
    expect(probe?.httpGet).toMatchObject({ host: defaultOf('healthz-ip'), port: defaultOf('healthz-port') })
})

test('what the agent keeps on the node is on the node', () => {
  const { volumeMounts } = agentContainer()
  const kept = ['run-dir', 'state-dir', 'subnet-file', 'wireguard-key-file'].map((key) =>
    String(OPTION_TABLE.find((option) => option.key === key)?.default),
  )
  const isMounted = (path: string) => volumeMounts.some(({ mountPath }) => `${path}/`.startsWith(`${mountPath}/`))
  expect(kept.filter((path) => !isMounted(path))).toEqual([])
})

test('every mount has its volume, and every volume a mount', () => {
  const { containers, initContainers, volumes } = podSpec()
  const mounted = [...initContainers, ...containers].flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name))
  expect([...new Set(mounted)].sort()).toEqual(volumes.map(({ name }) => name).sort())
})

test('the init container installs the plugins, and the list after them', () => {
  const [{ command, args } = { command: [], args: [] }] = podSpec().initContainers
  const folder = makeFolder('init')
  for (const path of ['host/opt/cni/bin', 'host/etc/cni/net.d', 'etc/podwire', 'bin'])
    mkdirSync(`${folder}/${path}`, { recursive: true })
  for (const [name, text] of Object.entries(configuration())) writeFileSync(`${folder}/etc/podwire/${name}`, text)
  const script = args.map((text) =>
    text.replaceAll('/host/', `${folder}/host/`).replaceAll(' /etc/podwire/', ` ${folder}/etc/podwire/`),
  )
  must([...command, ...script], { env: { PATH: `${ROOT}dist:/usr/bin:/bin` } })
  expect(readdirSync(`${folder}/host/etc/cni/net.d`)).toEqual(['10-flannel.conflist'])
  const list = readFileSync(`${folder}/host/etc/cni/net.d/10-flannel.conflist`, 'utf8')
  for (const { type } of (JSON.parse(list) as { readonly plugins: readonly { readonly type: string }[] }).plugins)
    expect(existsSync(`${folder}/host/opt/cni/bin/${type}`), type).toBe(true)
})

test('the image has what the executable needs: files of the build, and of the distribution glibc', () => {
  const dockerfile = readFileSync(`${ROOT}conf/kubernetes/Dockerfile`, 'utf8')
  const copied = /^COPY (.*) \/usr\/local\/bin\/$/m.exec(dockerfile)?.[1]?.split(' ') ?? []
  expect(copied.filter((path) => existsSync(`${ROOT}${path}`))).toEqual([
    'dist/podwire',
    'dist/podwire-plugin',
    'dist/podwire.node',
  ])
  const libraries = must(['ldd', PODWIRE, `${ROOT}dist/podwire.node`]).match(/\blib[a-z]+(?=\.so)/g) ?? []
  const glibc = ['libc', 'libdl', 'libm', 'libpthread', 'librt']
  expect([...new Set(libraries)].filter((library) => !glibc.includes(library))).toEqual([])
  const images = [...podSpec().containers, ...podSpec().initContainers].map(({ image }) => image)
  for (const image of images) expect(dockerfile).toContain(`-t ${image} `)
})
