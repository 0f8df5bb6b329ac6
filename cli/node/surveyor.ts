/** Where a survey comes from: the agent of this node, or a folder of leases. */
import { addressOf } from '../../addr/cidr.ts'
import type { Ip } from '../../addr/ip.ts'
import type { AgentPlan, AgentStatus } from '../../agent/status.ts'
import { CniError, ERR_IO, ERR_UNAVAILABLE } from '../../cni/error.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { dumpAllAddresses } from '../../netlink/address.ts'
import { makeAdmission } from '../../overlay/admission.ts'
import type { Lease } from '../../overlay/lease.ts'
import { hasExpired, readEntries, readNetConfText } from '../../overlay/lease-folder.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import type { OverlayNode } from '../../overlay/planner.ts'
import { plannerOf } from '../../overlay/planners.ts'
import { StoreError } from '../../overlay/store-error.ts'
import { chooseUnderlay } from '../../overlay/underlay.ts'
import { observeUnderlay } from '../../overlay/underlay-observe.ts'
import { askAgent } from './agent-socket.ts'
import type { Survey } from './survey.ts'

/** What this node's agent plans. @throws CniError 50 when no agent runs, or it has no plan yet */
export const surveyAgent = async (runFolder: string): Promise<Survey> => {
  const status = await askAgent<AgentStatus>(runFolder, '/status')
  const { base, peers } = await askAgent<AgentPlan>(runFolder, '/plan')
  const { netConf, underlay } = status
  if (netConf === undefined || underlay === undefined)
    throw new CniError(ERR_UNAVAILABLE, `the agent is not ready: ${status.missing.join('; ')}`)
  return {
    source: `the agent (pid ${status.pid})`,
    backend: netConf.backend,
    underlay: underlay.name,
    base,
    peers: status.peers.map((lease) => ({ lease, plan: peers[lease.key] ?? [] })),
  }
}

const leasesIn = (folder: string): readonly Lease[] =>
  readEntries(folder).flatMap((entry) =>
    entry.kind === 'lease' && !hasExpired(entry, Date.now()) ? [entry.lease] : [],
  )

/** The lease that names an address of this node. @throws CniError 50 */
const ownOf = (folder: string, leases: readonly Lease[], addresses: readonly Ip[]): Lease => {
  const isHere = (ip: Ip | undefined): boolean => ip !== undefined && addresses.includes(ip)
  const own = leases.find(({ publicIP, publicIPv6 }) => isHere(publicIP) || isHere(publicIPv6))
  if (own !== undefined) return own
  throw new CniError(
    ERR_UNAVAILABLE,
    `no lease of ${folder} is this node's: none names one of its addresses as PublicIP`,
    `addresses of this node: ${addresses.join(', ')}`,
  )
}

const readStore = <T>(read: () => T): T => {
  try {
    return read()
  } catch (error) {
    if (error instanceof StoreError) throw new CniError(ERR_IO, error.message, '', { cause: error })
    throw error
  }
}

/** What this node would plan with the leases of a folder of the file store. @throws DecodeError, CniError 5, 50 */
export const surveyFolder = (folder: string, kernel: Kernel): Survey => readStore(() => planFolder(folder, kernel))

const planFolder = (folder: string, kernel: Kernel): Survey => {
  const conf = parseNetConf(readNetConfText(folder))
  const leases = leasesIn(folder)
  const addresses = dumpAllAddresses(kernel.route('node')).map(({ address }) => addressOf(address))
  const own = ownOf(folder, leases, addresses)
  const { publicIP, publicIPv6 } = own
  const public_ = {
    ...(publicIP === undefined ? {} : { publicIP }),
    ...(publicIPv6 === undefined ? {} : { publicIPv6 }),
  }
  const wanted = { conf, ifaces: [publicIP, publicIPv6].flatMap((ip) => ip ?? []), ifaceRegexes: [], ...public_ }
  const node: OverlayNode = { conf, own, ...chooseUnderlay(wanted, observeUnderlay(wanted, kernel)) }
  const admission = makeAdmission({ node, anyLength: false })
  admission.all(leases, new Map())
  const planner = plannerOf(conf.backend)
  return {
    source: `the leases in ${folder}`,
    backend: conf.backend,
    underlay: node.underlay.name,
    base: planner.base(node),
    peers: [...admission.admitted.values()].map((lease) => ({ lease, plan: planner.peer(node, lease) })),
  }
}
