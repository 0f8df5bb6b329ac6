/** Rounds of many ADDs and DELs at once over one bridge and one pool. In each round half of the containers leave while the
 *  other half arrive; then what the node holds must be what those who are there own, and nothing else. */
import { readdirSync, writeFileSync } from 'node:fs'
import type { Bed, Pod } from '../conformance/bed.ts'
import { makeBed } from '../conformance/bed.ts'
import { type Outcome, outcomeOf } from '../conformance/outcome.ts'
import { difference, filesIn, kernelState, type State } from '../conformance/state.ts'
import { type Json, readResult } from '../conformance/version.ts'

export interface StormOptions {
  /** Folder of the plugins. */
  readonly dir: string
  /** Calls at once: half ADD, half DEL. */
  readonly calls: number
  readonly rounds: number
  /** The plugins of the network, in order; the first gives the address. */
  readonly chain: readonly Json[]
  /** What the node has before. */
  readonly prepare?: (bed: Bed) => Promise<void>
  readonly progress?: (round: number, seconds: number, problems: number) => void
}

interface Container {
  readonly id: string
  readonly pod: Pod
  result?: Json
}

interface Storm {
  readonly bed: Bed
  readonly options: StormOptions
  readonly problems: string[]
}

const NET = { cniVersion: '1.1.0', name: 'net' }

/** Where a plugin keeps files, and reads what its node has. */
const filesOf = ({ folder }: Bed, { type }: Json): Json => {
  if (type === 'tuning') return { dataDir: `${folder}/tuning` }
  if (type === 'flannel') return { dataDir: `${folder}/flannel`, subnetFile: `${folder}/.subnet.env` }
  return type === 'vxlan' ? { dataDir: `${folder}/vxlan`, store: { dir: `${folder}/.store` } } : {}
}

/** The conflist's plugins for one container: a host port of its own. */
const confsOf = ({ bed, options }: Storm, { pod }: Container): readonly Json[] =>
  options.chain.map((conf) => {
    const ipam = conf['ipam'] as Json | undefined
    const data = ipam === undefined ? {} : { ipam: { ...ipam, dataDir: `${bed.folder}/ipam` } }
    const portMappings = [{ hostPort: 20_000 + pod.index, containerPort: 80, protocol: 'tcp' }]
    const ports = conf['type'] === 'portmap' ? { runtimeConfig: { portMappings } } : {}
    return { ...NET, ...conf, ...data, ...ports, ...filesOf(bed, conf) }
  })

const call = async ({ bed, options }: Storm, verb: string, conf: Json, { id, pod }: Container): Promise<Outcome> => {
  const about = { CNI_CONTAINERID: id, CNI_IFNAME: 'eth0', CNI_NETNS: pod.path, CNI_ARGS: 'IgnoreUnknown=1' }
  const env = { PATH: process.env['PATH'] ?? '', CNI_COMMAND: verb, CNI_PATH: options.dir, ...about }
  const argv = [`${options.dir}/${conf['type']}`]
  return outcomeOf(await bed.exec(argv, { input: JSON.stringify(conf), env, timeout: 120_000 }))
}

const note = (storm: Storm, verb: string, conf: Json, container: Container, { status, stdout }: Outcome): void => {
  if (status !== 0) storm.problems.push(`${verb} of ${conf['type']} for ${container.id}: status ${status} ${stdout}`)
}

const attach = async (storm: Storm, container: Container): Promise<void> => {
  let prevResult: Json | undefined
  for (const conf of confsOf(storm, container)) {
    const outcome = await call(storm, 'ADD', prevResult === undefined ? conf : { ...conf, prevResult }, container)
    note(storm, 'ADD', conf, container, outcome)
    if (outcome.status !== 0) return
    prevResult = outcome.json
  }
  if (prevResult !== undefined) container.result = prevResult
}

const detach = async (storm: Storm, container: Container): Promise<void> => {
  for (const conf of confsOf(storm, container).toReversed()) {
    const prevResult = container.result === undefined ? {} : { prevResult: container.result }
    note(storm, 'DEL', conf, container, await call(storm, 'DEL', { ...conf, ...prevResult }, container))
  }
}

const check = async (storm: Storm, container: Container): Promise<void> => {
  for (const conf of confsOf(storm, container))
    note(
      storm,
      'CHECK',
      conf,
      container,
      await call(storm, 'CHECK', { ...conf, prevResult: container.result }, container),
    )
}

const addressOf = ({ result }: Container): string => readResult(result).ips[0]?.address.split('/')[0] ?? 'none'

const isIp = (name: string): boolean => /^[0-9.]+$/.test(name)

/** The addresses of those present are different, and are the reservations. */
const addressProblems = ({ bed }: Storm, present: readonly Container[]): readonly string[] => {
  const given = present.map(addressOf).sort()
  const reserved = readdirSync(`${bed.folder}/ipam/net`).filter(isIp).sort()
  const twice = given.filter((address, i) => given.indexOf(address) !== i)
  return [
    ...twice.map((address) => `${address} is given twice`),
    ...given.filter((address) => !reserved.includes(address)).map((address) => `${address} is not reserved`),
    ...reserved.filter((address) => !given.includes(address)).map((address) => `${address} is reserved for nobody`),
  ]
}

/** As many ports on the bridge as containers are present. */
const portProblems = async ({ bed }: Storm, present: readonly Container[]): Promise<readonly string[]> => {
  const ports = (await bed.shell('ip -o link show type veth')).split('\n').filter((line) => line !== '').length
  return ports === present.length ? [] : [`${ports} veth pairs for ${present.length} containers`]
}

const round = async (storm: Storm, leaving: readonly Container[], coming: readonly Container[]): Promise<void> => {
  await Promise.all([...leaving.map((one) => detach(storm, one)), ...coming.map((one) => attach(storm, one))])
  storm.problems.push(...addressProblems(storm, coming), ...(await portProblems(storm, coming)))
  const [first] = coming
  if (first !== undefined) await check(storm, first)
}

const containers = async (bed: Bed, count: number): Promise<readonly Container[]> => {
  const all: Container[] = []
  for (let i = 0; i < count; i++) all.push({ id: `c${i}`, pod: await bed.pod() })
  return all
}

const stateOf = async ({ bed }: Storm): Promise<State> => [...(await kernelState(bed)), ...filesIn(bed.folder)]

const rounds = async (storm: Storm): Promise<void> => {
  const { calls, rounds: count, progress } = storm.options
  const all = await containers(storm.bed, calls + 1)
  const [warm, ...rest] = all as [Container, ...Container[]]
  await attach(storm, warm)
  await detach(storm, warm)
  const before = await stateOf(storm)
  let [here, away] = [rest.slice(0, calls / 2), rest.slice(calls / 2)]
  await Promise.all(here.map((one) => attach(storm, one)))
  for (let i = 1; i <= count; i++) {
    const started = performance.now()
    await round(storm, here, away)
    ;[here, away] = [away, here]
    progress?.(i, (performance.now() - started) / 1000, storm.problems.length)
  }
  await Promise.all(here.map((one) => detach(storm, one)))
  storm.problems.push(...difference(before, await stateOf(storm)).map((line) => `left at the end: ${line}`))
}

/** What went wrong; empty: nothing. */
export const runStorm = async (options: StormOptions): Promise<readonly string[]> => {
  const storm: Storm = { bed: await makeBed(), options, problems: [] }
  try {
    await options.prepare?.(storm.bed)
    await rounds(storm)
    return storm.problems
  } finally {
    await storm.bed.remove()
  }
}

const RANGES = [[{ subnet: '10.77.0.0/23' }]]
const bridge = { type: 'bridge', bridge: 'pwbr0', isGateway: true, ipMasq: true }
/** `bridge` with masquerade and one pool. */
export const BRIDGE: readonly Json[] = [{ ...bridge, ipam: { type: 'host-local', ranges: RANGES } }]
/** The plugins that a kubelet's node runs. */
export const CHAIN: readonly Json[] = [
  ...BRIDGE,
  { type: 'portmap', snat: true, capabilities: { portMappings: true } },
  { type: 'firewall' },
  { type: 'bandwidth', ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 },
  { type: 'tuning', mtu: 1300 },
]

const delegating = { delegate: { bridge: 'pwbr0', isGateway: true, ipMasq: true }, ipam: {} }
/** `flannel` with a lease that has room for all. */
export const FLANNEL: Pick<StormOptions, 'chain' | 'prepare'> = {
  chain: [{ type: 'flannel', ...delegating }],
  prepare: async ({ folder }) => {
    const lines = ['NETWORK=10.76.0.0/14', 'SUBNET=10.77.0.1/23', 'MTU=1450', 'IPMASQ=true']
    writeFileSync(`${folder}/.subnet.env`, lines.map((line) => `FLANNEL_${line}\n`).join(''))
  },
}
const netConf = { Network: '10.76.0.0/14', SubnetLen: 23, Backend: { Type: 'vxlan' } }
/** `vxlan` over a bridge, which is no veth pair. */
export const VXLAN: Pick<StormOptions, 'chain' | 'prepare'> = {
  chain: [{ type: 'vxlan', netConf, iface: ['up0'], ...delegating }],
  prepare: async (bed) => {
    await bed.shell('ip link add up0 type bridge; ip addr add 192.0.2.1/24 dev up0; ip link set up0 up')
  },
}
