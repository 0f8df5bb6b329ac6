/** `podwire agent --dry-run`: what an agent would hold the kernel to now, as commands. Nothing is written, in the kernel, the
 *  store or a file. */
import { existsSync } from 'node:fs'
import { CniError, ERR_CONFIG, ERR_UNAVAILABLE } from '../cni/error.ts'
import { renderPlan } from '../kernel/apply.ts'
import { withKernel } from '../kernel/kernel.ts'
import { makeAdmission } from '../overlay/admission.ts'
import { isOwn } from '../overlay/claim.ts'
import type { Lease } from '../overlay/lease.ts'
import { type NetConf, parseNetConf } from '../overlay/net-conf.ts'
import type { Site } from '../overlay/planner.ts'
import { plannerOf } from '../overlay/planners.ts'
import { basePlan } from './base-plan.ts'
import type { Options } from './options.ts'
import { claimOf, observeSite } from './site.ts'
import { openStore } from './store/open.ts'
import { type AllLeases, readAll } from './store/read-all.ts'

/** Looking at a site makes the key of wireguard when there is none. */
const requireKey = ({ backend }: NetConf, { wireguardKeyFile }: Options): void => {
  if (backend.kind !== 'wireguard' || existsSync(wireguardKeyFile)) return
  throw new CniError(
    ERR_CONFIG,
    `there is no private key in ${wireguardKeyFile} yet: the agent makes it when it starts`,
  )
}

const ownOf = (site: Site, leases: readonly Lease[]): Lease => {
  const claim = claimOf(site, [])
  const own = leases.find((lease) => isOwn(lease, claim))
  if (own !== undefined) return own
  const address = site.publicIP ?? site.publicIPv6
  throw new CniError(
    ERR_UNAVAILABLE,
    `no lease in the store names this node's address ${address}`,
    'which subnet it gets is decided when the agent asks for one: run podwire agent --once',
  )
}

const render = (site: Site, { leases, invalid }: AllLeases, options: Options): string => {
  const node = { ...site, own: ownOf(site, leases) }
  const admission = makeAdmission({ node, anyLength: options.store === 'kubernetes' })
  admission.all(leases, invalid)
  const peers = [...admission.admitted.values()].map(
    (lease) => `# ${lease.key}\n${renderPlan(plannerOf(node.conf.backend).peer(node, lease))}`,
  )
  const rejected = [...admission.rejected].map(([key, why]) => `# ${key} is not believed: ${why}`)
  return [`# this node, ${node.own.key}`, renderPlan(basePlan(node, options)), ...peers, ...rejected, ''].join('\n')
}

/** @throws CniError 50 when this node has no lease; StoreError; DecodeError */
export const previewAgent = async (options: Options): Promise<string> => {
  const store = await openStore(options)
  try {
    const never = new AbortController().signal
    const conf = parseNetConf(await store.readNetConf(never))
    requireKey(conf, options)
    const all = await readAll(store, never)
    const publicAddresses = (await store.publicAddresses?.(never)) ?? {}
    const request = { conf, options, publicAddresses, before: undefined, last: undefined }
    return withKernel('', (kernel) => render(observeSite(request, kernel).site, all, options))
  } finally {
    store.close()
  }
}
