/** The second story: pods of three nodes, and what befalls nodes and agents. */
import type { ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { renderTable } from '../../cli/screen.ts'
import { endAgent, faultsOf, type NodeStatus, startAgent, statusOf, until } from './agent.ts'
import { type ClusterNode, DEVICE, ipIn, makeCluster, NODES, STORE, WIRE } from './cluster.ts'
import { netnsPath, run, within } from './command.ts'
import { type Loss, startPing } from './pinger.ts'
import { BIN_FOLDER, ping } from './pods.ts'
import { make, measure, ms, type Row } from './story.ts'
import { addNetns } from './topology.ts'

/** A row of the table: what happened, what came of it, how long it took and what was lost meanwhile. */
interface Event extends Row {
  readonly took?: number
  readonly loss?: Loss
}

const events: Event[] = []

const record = async (
  what: string,
  expected: string,
  work: () => Promise<{ measured: string; holds: boolean; took?: number; loss?: Loss }>,
): Promise<void> => {
  let noted: { took?: number; loss?: Loss } = {}
  const row = await measure(what, expected, async () => {
    const { took, loss, ...measured } = await work()
    noted = { ...(took === undefined ? {} : { took }), ...(loss === undefined ? {} : { loss }) }
    return measured
  })
  events.push({ ...row, ...noted })
}

const [FIRST, SECOND, THIRD] = NODES as readonly [ClusterNode, ClusterNode, ClusterNode]
const agents = new Map<string, ChildProcess>()
const addresses = new Map<string, string>()

const addressOf = ({ pod }: ClusterNode): string => addresses.get(pod) ?? ''

const start = (node: ClusterNode): void => {
  agents.set(node.name, startAgent(node))
}

const end = async (node: ClusterNode, signal: NodeJS.Signals): Promise<void> => {
  const agent = agents.get(node.name)
  if (agent !== undefined) await endAgent(agent, signal)
}

/** Milliseconds until a node's agent says what `holds` asks of it. */
const untilStatus = (node: ClusterNode, what: string, holds: (status: NodeStatus) => boolean): Promise<number> =>
  until(what, async () => {
    const status = await statusOf(node)
    return status !== undefined && holds(status)
  })

const startAll = async (): Promise<string> => {
  for (const node of NODES) start(node)
  for (const node of NODES)
    await untilStatus(node, `${node.name} knows its peers`, ({ isReady, peers }) => isReady && peers.length === 2)
  const subnets = await Promise.all(NODES.map(async (node) => (await statusOf(node))?.lease?.subnet ?? ''))
  return subnets.join('  ')
}

/** As the node's runtime would: in its namespace, with its configuration. */
const attachPod = async (node: ClusterNode): Promise<void> => {
  await addNetns(node.pod)
  const argv = [`${BIN_FOLDER}/podwire`, 'run', 'add', 'cbr0', netnsPath(node.pod)]
  const environment = { NETCONFPATH: `${node.folder}/net.d`, CNI_PATH: BIN_FOLDER }
  const { stdout } = await run(within(node.name, argv), environment)
  const { ips } = JSON.parse(stdout) as { readonly ips: readonly { readonly address: string }[] }
  addresses.set(node.pod, ips[0]?.address.split('/')[0] ?? '')
}

const attachAll = async (): Promise<string> => {
  for (const node of NODES) await attachPod(node)
  return NODES.map(addressOf).join('  ')
}

const reaches = async (from: ClusterNode, to: ClusterNode): Promise<boolean> => {
  try {
    await run(within(from.pod, ['ping', '-n', '-q', '-c', '1', '-W', '0.1', addressOf(to)]))
    return true
  } catch {
    return false
  }
}

const PAIRS = NODES.flatMap((from) => NODES.filter((to) => to !== from).map((to) => [from, to] as const))

const showMesh = (): Promise<void> =>
  record('pods of all nodes reach each other', '6 of 6 pairs', async () => {
    const times: number[] = []
    for (const [from, to] of PAIRS) times.push(await ping(from.pod, addressOf(to)))
    return { measured: `${times.length} of 6 pairs, slowest ${ms(Math.max(...times))}`, holds: times.length === 6 }
  })

/** Bytes of the VXLAN, UDP and IPv4 headers outside, and of IPv4 and ICMP inside. */
const OUTSIDE = 50
const INSIDE = 28

const showMtu = (): Promise<void> =>
  record('a full packet crosses without fragments', '1450 bytes', async () => {
    const size = 1500 - OUTSIDE
    const argv = ['ping', '-n', '-q', '-c', '1', '-W', '2', '-M', 'do', '-s', String(size - INSIDE), addressOf(SECOND)]
    await run(within(FIRST.pod, argv))
    return { measured: `${size} bytes`, holds: true }
  })

const text = ({ sent, lost }: Loss): string => `${lost} of ${sent} packets lost`

/** Does something to a node while the first node's pod pings the second's; nothing may be lost. */
const showNoLoss = (what: string, event: () => Promise<number>): Promise<void> =>
  record(what, 'no packet lost', async () => {
    const pinger = await startPing(FIRST.pod, addressOf(SECOND))
    const took = await event()
    const loss = await pinger.end()
    return { measured: text(loss), holds: loss.lost === 0, took, loss }
  })

const restartBy = (signal: NodeJS.Signals) => async (): Promise<number> => {
  await end(FIRST, signal)
  start(FIRST)
  return untilStatus(FIRST, 'the agent is back', ({ isReady }) => isReady)
}

const showDeletedDevice = (): Promise<void> =>
  record(`ip link del ${DEVICE} on ${FIRST.name}`, 'repaired', async () => {
    const pinger = await startPing(FIRST.pod, addressOf(SECOND))
    const start = performance.now()
    await ipIn(FIRST.name, `link del ${DEVICE}`)
    await until('the pods reach each other again', () => reaches(FIRST, SECOND))
    const took = performance.now() - start
    const loss = await pinger.end()
    return { measured: `repaired in ${ms(took)}`, holds: true, took, loss }
  })

const isReachable =
  (node: ClusterNode, wanted: boolean) =>
  ({ peers }: NodeStatus): boolean =>
    peers.some(({ key, probe }) => key === keys.get(node.name) && probe?.isReachable === wanted)

/** Key of each node's lease. */
const keys = new Map<string, string>()

const learnKeys = async (): Promise<void> => {
  for (const node of NODES) {
    const subnet = (await statusOf(node))?.lease?.subnet ?? ''
    keys.set(node.name, subnet.replace('/', '-'))
  }
}

const showCutOff = async (): Promise<void> => {
  await record(`${THIRD.name} is cut off from the wire`, 'its peers say so', async () => {
    await ipIn(WIRE, `link set ${THIRD.port} down`)
    const took = await untilStatus(FIRST, `${THIRD.name} is unreachable`, isReachable(THIRD, false))
    return { measured: `known after ${ms(took)}`, holds: !(await reaches(FIRST, THIRD)), took }
  })
  await record('podwire node ping', 'one fault: UNDERLAY', async () => {
    const faults = (await faultsOf(FIRST)).filter((fault) => fault !== '')
    return { measured: `one fault: ${faults.join(', ')}`, holds: faults.join() === 'UNDERLAY' }
  })
  await record(`${THIRD.name} comes back`, 'its pod answers', async () => {
    await ipIn(WIRE, `link set ${THIRD.port} up`)
    const took = await until('its pod answers', () => reaches(FIRST, THIRD))
    await untilStatus(FIRST, `${THIRD.name} is reachable`, isReachable(THIRD, true))
    return { measured: `answers after ${ms(took)}`, holds: true, took }
  })
}

/** What a node's kernel has of another node. */
const entriesOf = async (node: ClusterNode, other: ClusterNode): Promise<readonly string[]> => {
  const commands = ['route', `neigh show dev ${DEVICE}`]
  const shown = await Promise.all(commands.map((command) => ipIn(node.name, command)))
  const fdb = await run(within(node.name, ['bridge', 'fdb', 'show', 'dev', DEVICE]))
  const subnet = keys.get(other.name)?.split('-')[0] ?? ''
  return [...shown, fdb]
    .flatMap(({ stdout }) => stdout.split('\n'))
    .filter((line) => line.includes(subnet) || line.includes(`dst ${other.ipv4}`))
}

const showVanishedPeer = (): Promise<void> =>
  record(`${THIRD.name} leaves while the agent of ${FIRST.name} is down`, 'nothing is left of it', async () => {
    await end(FIRST, 'SIGKILL')
    await end(THIRD, 'SIGTERM')
    await rm(`${STORE}/subnets/${keys.get(THIRD.name)}.json`)
    const before = (await entriesOf(FIRST, THIRD)).length
    start(FIRST)
    const took = await until('its entries are gone', async () => (await entriesOf(FIRST, THIRD)).length === 0)
    return { measured: `${before} entries gone`, holds: before === 3, took }
  })

/** Tells it and prints the table. Returns whether everything shown holds. */
export const tellCluster = async (): Promise<boolean> => {
  await make('make three nodes on a wire', makeCluster, () => NODES.map(({ ipv4 }) => ipv4).join('  '))
  await make('start podwire agent on each', startAll, (subnets) => subnets)
  await make('attach a pod on each, type flannel', attachAll, (pods) => pods)
  await learnKeys()
  await showMesh()
  await showMtu()
  await showNoLoss(`the agent of ${FIRST.name} is restarted`, restartBy('SIGTERM'))
  await showNoLoss(`the agent of ${FIRST.name} is killed and started`, restartBy('SIGKILL'))
  await showDeletedDevice()
  await showCutOff()
  await showVanishedPeer()
  process.stdout.write(`\n${renderEvents()}`)
  return events.every(({ holds }) => holds)
}

const renderEvents = (): string =>
  renderTable(
    ['EVENT', 'MEASURED', 'EXPECTED', 'TOOK', 'LOST', 'HOLDS'],
    events.map(({ what, measured, expected, took, loss, holds }) => [
      what,
      measured,
      expected,
      took === undefined ? '' : ms(took),
      loss === undefined ? '' : String(loss.lost),
      holds ? 'yes' : 'NO',
    ]),
  )
