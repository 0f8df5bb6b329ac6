/** The first story: one node, its pods, and the outside. */
import { renderTable } from '../../cli/screen.ts'
import { ROOT } from './build.ts'
import { run } from './command.ts'
import {
  ask,
  attach,
  BIN_FOLDER,
  check,
  detach,
  lose,
  NETWORK,
  type Pod,
  ping,
  podwire,
  pull,
  serve,
  totalOf,
} from './pods.ts'
import { remains } from './remains.ts'
import { type Measured, make, measure, ms, type Row } from './story.ts'
import { INTERNET, INTERNET_IPV4, INTERNET_IPV6, makeUplink, NODE_IPV4, NODE_IPV6 } from './topology.ts'

const HOST_PORT = 8080
const RATE = 20_000_000
/** Room for headers, the burst and a busy machine. */
const RATE_LEAST = 0.7
const RATE_MOST = 1.15
const PULL_SECONDS = 2

const SHAPED = {
  bandwidth: { ingressRate: RATE, ingressBurst: 1_000_000, egressRate: RATE, egressBurst: 1_000_000 },
}
const PUBLISHED = { portMappings: [{ hostPort: HOST_PORT, containerPort: 80, protocol: 'tcp' }] }

const rows: Row[] = []

const megabits = (rate: number): string => `${(rate / 1e6).toFixed(1)} Mbit/s`

const show = async (what: string, expected: string, work: () => Promise<Measured>): Promise<void> => {
  rows.push(await measure(what, expected, work))
}

const showPing = (from: Pod, to: Pod, family: 4 | 6): Promise<void> =>
  show(`${from.name} reaches ${to.name}, IPv${family}`, 'an answer', async () => {
    return { measured: ms(await ping(from.name, family === 4 ? to.ipv4 : to.ipv6)), holds: true }
  })

const showAnswer = (what: string, from: string, host: string, expected: string, port = 80): Promise<void> =>
  show(what, expected, async () => {
    const measured = await ask(from, host, port)
    return { measured, holds: measured === expected }
  })

const showRate = (what: string, from: Pod, to: Pod): Promise<void> =>
  show(what, megabits(RATE), async () => {
    const rate = await pull(from.name, to.ipv4, PULL_SECONDS)
    return { measured: megabits(rate), holds: rate >= RATE * RATE_LEAST && rate <= RATE * RATE_MOST }
  })

const showUnshaped = (from: Pod, to: Pod): Promise<void> =>
  show(`${from.name} reads from ${to.name}, not shaped`, `> ${megabits(RATE * 5)}`, async () => {
    const rate = await pull(from.name, to.ipv4, 1)
    return { measured: megabits(rate), holds: rate > RATE * 5 }
  })

const showLeft = (what: string, expected: string): Promise<void> =>
  show(what, expected, async () => {
    const measured = (await remains()).join('; ') || 'nothing'
    return { measured, holds: measured === expected }
  })

const install = async (): Promise<string> => {
  const { stdout } = await run([`${ROOT}dist/podwire`, 'install', '--bin-dir', BIN_FOLDER, '--json'])
  const steps = JSON.parse(stdout) as readonly { readonly kind: string }[]
  return `${steps.filter(({ kind }) => kind === 'link').length} plugins`
}

const tellPod = ({ ipv4, ipv6, times }: Pod): string => `${ipv4}  ${ipv6}  ${ms(totalOf(times))}`

const showTraffic = async (web: Pod, client: Pod, slow: Pod): Promise<void> => {
  await showPing(client, web, 4)
  await showPing(client, web, 6)
  await showAnswer('client is itself to web: no masquerade inside', 'client', web.ipv4, `web ${client.ipv4}`)
  await showAnswer('the internet sees the node, IPv4', 'client', INTERNET_IPV4, `internet ${NODE_IPV4}`)
  await showAnswer('the internet sees the node, IPv6', 'client', INTERNET_IPV6, `internet ${NODE_IPV6}`)
  await showAnswer(`node port ${HOST_PORT} is web, IPv4`, INTERNET, NODE_IPV4, `web ${INTERNET_IPV4}`, HOST_PORT)
  await showAnswer(`node port ${HOST_PORT} is web, IPv6`, INTERNET, NODE_IPV6, `web ${INTERNET_IPV6}`, HOST_PORT)
  await showUnshaped(client, web)
  await showRate('slow reads from web: ingress shaped', slow, web)
  await showRate('client reads from slow: egress shaped', client, slow)
}

const showChecks = (pods: readonly Pod[]): Promise<void> =>
  show('CHECK of every pod', 'as ADD left it', async () => {
    for (const { name } of pods) await check(name)
    return { measured: 'as ADD left it', holds: true }
  })

const showCrash = async (): Promise<void> => {
  await make('attach "crashed" and lose it without DEL', () => attach('crashed', PUBLISHED), tellPod)
  await lose('crashed')
  await show('podwire gc finds it', '1 stale', async () => {
    const { stdout } = await podwire(['gc', NETWORK, '--dry-run', '--json'])
    const stale = stdout.match(/"state": "stale"/g)?.length ?? 0
    return { measured: `${stale} stale`, holds: stale === 1 }
  })
  await make(
    'podwire gc',
    () => podwire(['gc', NETWORK]),
    ({ stdout }) => stdout.trim().split('\n').at(-1) ?? '',
  )
}

/** Prints two tables. Returns whether everything shown holds. */
export const tellNode = async (): Promise<boolean> => {
  await make('make a node and an internet', makeUplink, () => `${NODE_IPV4}  ${NODE_IPV6}`)
  await make('install podwire into a folder of plugins', install, (text) => text)
  const web = await make(`attach "web", port ${HOST_PORT} published`, () => attach('web', PUBLISHED), tellPod)
  const client = await make('attach "client"', () => attach('client'), tellPod)
  const slow = await make(`attach "slow", shaped to ${megabits(RATE)}`, () => attach('slow', SHAPED), tellPod)
  const pods = [web, client, slow]
  for (const name of [...pods.map((pod) => pod.name), INTERNET]) await serve(name)
  await showChecks(pods)
  await showTraffic(web, client, slow)
  const times = new Map<string, number>()
  for (const { name } of pods) times.set(name, await make(`detach "${name}"`, () => detach(name), ms))
  await showLeft('left on the node after DEL', 'interface podwire0')
  await showCrash()
  await showLeft('left on the node after GC', 'nothing')
  process.stdout.write(`\n${renderResults()}\n${renderTimes(pods, times)}`)
  return rows.every(({ holds }) => holds)
}

const renderResults = (): string =>
  renderTable(
    ['WHAT', 'MEASURED', 'EXPECTED', 'HOLDS'],
    rows.map(({ what, measured, expected, holds }) => [what, measured, expected, holds ? 'yes' : 'NO']),
  )

const renderTimes = (pods: readonly Pod[], dels: ReadonlyMap<string, number>): string => {
  const plugins = pods[0]?.times.map(([plugin]) => plugin) ?? []
  const header = ['POD', ...plugins.map((plugin) => `ADD ${plugin}`), 'ADD in all', 'DEL in all']
  const cells = (pod: Pod): string[] => pod.times.map(([, value]) => ms(value))
  return renderTable(
    header,
    pods.map((pod) => [pod.name, ...cells(pod), ms(totalOf(pod.times)), ms(dels.get(pod.name) ?? 0)]),
  )
}
