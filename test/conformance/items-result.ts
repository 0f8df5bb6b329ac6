/** Items 9, 12, 34, 35: what ADD says, and what decides it. */
import { quote } from '../../addr/error.ts'
import { each, type Item } from './item.ts'
import { demand } from './outcome.ts'
import { hostLocalIn } from './profile-main.ts'
import { shapeProblems } from './shape.ts'
import type { Attachment, Change, Trial } from './trial.ts'
import { isAtLeast, type Json, readResult } from './version.ts'

const DUAL_RANGES = [[{ subnet: '10.77.0.0/24' }], [{ subnet: 'fd77::/64' }]]
const DUAL_ROUTES = [{ dst: '0.0.0.0/0' }, { dst: '::/0' }]

/** Both families where the plugin takes an IPAM. */
const dualStack = ({ profile, bed }: Trial): Json =>
  profile.plugin === 'static' || profile.conf(bed, 0)['ipam'] === undefined
    ? {}
    : { ipam: { ...hostLocalIn(bed), ranges: DUAL_RANGES, routes: DUAL_ROUTES } }

const EXPECTED: Readonly<Record<Trial['profile']['kind'], readonly string[]>> = {
  main: ['10.77.0.2/24', 'fd77::2/64'],
  chained: ['10.77.0.10/24'],
  ipam: ['10.77.0.2/24', 'fd77::2/64'],
}
const expectedOf = ({ profile: { plugin, kind } }: Trial): readonly string[] => {
  if (plugin === 'loopback') return ['127.0.0.1/8']
  return plugin === 'static' ? ['10.78.0.5/24'] : EXPECTED[kind]
}

const interfaceIn = async (trial: Trial, { pod, ifName }: Attachment): Promise<Json> =>
  JSON.parse(await trial.bed.shell(`ip -j addr show ${ifName}`, pod.netns))[0]

/** @throws Error unless `interfaces` names the pod's interface with its namespace and MAC */
const interfacesAgree = async (trial: Trial, attachment: Attachment): Promise<void> => {
  const { interfaces } = readResult(attachment.result)
  const own = interfaces.find(({ name, sandbox }) => name === attachment.ifName && sandbox === attachment.pod.path)
  demand(own !== undefined, `interfaces lacks ${attachment.ifName} in the pod: ${quote(interfaces)}`)
  const { address } = await interfaceIn(trial, attachment)
  demand(own.mac === address, `interfaces says mac ${own.mac}, the interface has ${address}`)
}

const resultShape = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  await trial.add(attachment, { conf: dualStack(trial) })
  const problems = shapeProblems(trial.version, attachment.result)
  demand(problems.length === 0, `the result: ${problems.join('; ')}`)
  const addresses = readResult(attachment.result).ips.map(({ address }) => address)
  const missing = expectedOf(trial).filter((address) => !addresses.includes(address))
  demand(missing.length === 0, `the result lacks ${missing.join(', ')}: ${quote(addresses)}`)
  const { kind, plugin } = trial.profile
  if (kind === 'main' && plugin !== 'loopback' && isAtLeast(trial.version, '0.3.0'))
    await interfacesAgree(trial, attachment)
}

/** JSON with keys in order and empty values left out: two results that say the same are the same text. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part
    const isEmpty = (x: unknown): boolean => typeof x === 'object' && x !== null && Object.keys(x).length === 0
    const kept = Object.entries(part).filter(([, x]) => x !== null && !isEmpty(x))
    return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)))
  })

/** Keys without which a plugin has nothing to change in prevResult. */
const PASSIVE: Json = {
  mtu: undefined,
  ingressRate: undefined,
  ingressBurst: undefined,
  egressRate: undefined,
  egressBurst: undefined,
}

const fullPrevResult = (trial: Trial, { given, pod }: Attachment): Json => {
  const dns = { nameservers: ['10.1.1.1', 'fd00::1'], domain: 'here', search: ['a', 'b'], options: ['ndots:5'] }
  if (given !== undefined) return { ...given, dns }
  if (!isAtLeast(trial.version, '0.3.0')) return { cniVersion: trial.version, ip4: { ip: '10.1.2.3/24' }, dns }
  const ip = { address: '10.1.2.3/24', interface: 0, ...(isAtLeast(trial.version, '1.0.0') ? {} : { version: '4' }) }
  const eth0 = { name: 'eth0', mac: '02:00:00:00:00:07', sandbox: pod.path }
  return { cniVersion: trial.version, interfaces: [eth0], ips: [ip], routes: [{ dst: '10.5.0.0/16' }], dns }
}

const passthrough = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const prevResult = fullPrevResult(trial, attachment)
  const outcome = await trial.add(attachment, { conf: { ...PASSIVE, prevResult } })
  const [wanted, found] = [canonical(prevResult), canonical(outcome.json)]
  demand(wanted === found, `prevResult ${wanted} became ${found}`)
}

const TOLERATED: Json = {
  dns: { servers: ['10.0.0.1'], searches: ['x'] },
  aliases: ['web'],
  cgroupPath: '/kubepods/pod1',
  deviceID: '0000:00:1f.6',
  infinibandGUID: '00:11:22:33:44:55:66:77',
}

type Effect = (trial: Trial, attachment: Attachment) => Promise<string>

const macOf: Effect = async (trial, attachment) => String((await interfaceIn(trial, attachment))['address'])
const addressesOf: Effect = async (_trial, { result }) =>
  readResult(result)
    .ips.map(({ address }) => address)
    .join(' ')
const nodeState: Effect = async (trial) => (await trial.state()).join('\n')

interface Capability {
  readonly runtimeConfig: Json
  /** The rest of the configuration, where it must leave the matter open. */
  readonly conf?: (trial: Trial) => Json
  readonly effect: Effect
  readonly shows: string
}

const MAC = '02:11:22:33:44:55'
const CAPABILITIES: Readonly<Record<string, readonly Capability[]>> = {
  bridge: [{ runtimeConfig: { mac: MAC }, effect: macOf, shows: MAC }],
  flannel: [{ runtimeConfig: { mac: MAC }, effect: macOf, shows: MAC }],
  vxlan: [{ runtimeConfig: { mac: MAC }, effect: macOf, shows: MAC }],
  tuning: [{ runtimeConfig: { mac: MAC }, effect: macOf, shows: MAC }],
  portmap: [
    {
      runtimeConfig: { portMappings: [{ hostPort: 4711, containerPort: 80, protocol: 'tcp' }] },
      effect: nodeState,
      shows: '4711',
    },
  ],
  bandwidth: [
    {
      runtimeConfig: { bandwidth: { ingressRate: 16_000_000, ingressBurst: 800_000 } },
      effect: nodeState,
      shows: '"rate":2000000,',
    },
  ],
  'host-local': [
    { runtimeConfig: { ips: ['10.77.0.44/24'] }, effect: addressesOf, shows: '10.77.0.44/24' },
    {
      runtimeConfig: { ipRanges: [[{ subnet: '10.55.0.0/24' }]] },
      conf: ({ bed }) => ({ ipam: { ...hostLocalIn(bed), ranges: undefined } }),
      effect: addressesOf,
      shows: '10.55.0.2/24',
    },
  ],
  static: [{ runtimeConfig: { ips: ['10.78.0.44/24'] }, effect: addressesOf, shows: '10.78.0.44/24' }],
}

const capabilitiesOf = ({ profile }: Trial): readonly Capability[] => CAPABILITIES[profile.plugin] ?? []

/** A configuration in which nothing but runtimeConfig says the capability's value. */
const onlyRuntime = (runtimeConfig: Json): Json => ({ ...PASSIVE, runtimeConfig })

const capabilities = async (trial: Trial): Promise<void> => {
  const own = trial.profile.conf(trial.bed, 0)['runtimeConfig'] as Json | undefined
  await trial.add(await trial.attachment(), { conf: { runtimeConfig: { ...own, ...TOLERATED } } })
  await each(capabilitiesOf(trial), async ({ runtimeConfig, conf, effect, shows }) => {
    const attachment = await trial.attachment()
    await trial.add(attachment, { conf: { ...onlyRuntime(runtimeConfig), ...conf?.(trial) } })
    const found = await effect(trial, attachment)
    demand(found.includes(shows), `${quote(runtimeConfig)} has no effect: ${quote(found)}`)
  })
}

const OTHER_MAC = '02:aa:aa:aa:aa:aa'
const PRECEDENCE: Readonly<Record<string, Change & { readonly effect: Effect; readonly shows: string }>> = {
  bridge: {
    conf: { args: { cni: { mac: MAC } } },
    env: { CNI_ARGS: `IgnoreUnknown=1;MAC=${OTHER_MAC}` },
    effect: macOf,
    shows: MAC,
  },
  tuning: {
    conf: { args: { cni: { mac: MAC } } },
    env: { CNI_ARGS: `IgnoreUnknown=1;MAC=${OTHER_MAC}` },
    effect: macOf,
    shows: MAC,
  },
  static: {
    conf: { args: { cni: { ips: ['10.78.0.7/24'] } } },
    env: { CNI_ARGS: 'IP=10.78.0.8/24' },
    effect: addressesOf,
    shows: '10.78.0.7/24',
  },
}

const argsWin = async (trial: Trial): Promise<void> => {
  const row = PRECEDENCE[trial.profile.plugin]
  demand(row !== undefined, 'no case for this plugin')
  const attachment = await trial.attachment()
  await trial.add(attachment, row)
  const found = await row.effect(trial, attachment)
  demand(found === row.shows, `args.cni says ${row.shows}, CNI_ARGS ${row.env?.['CNI_ARGS']}, ADD gave ${found}`)
}

export const RESULT: readonly Item[] = [
  { number: 9, title: 'result in the shape of the version', judge: resultShape },
  { number: 12, title: 'prevResult passes through unchanged', judge: passthrough },
  { number: 34, title: 'capability arguments', judge: capabilities },
  { number: 35, title: 'args.cni wins over CNI_ARGS', judge: argsWin },
]
