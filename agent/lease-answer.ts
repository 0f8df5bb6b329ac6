/** One question to a store of leases, for a caller that has no agent: `podwire node lease`. */
import { withKernel } from '../kernel/kernel.ts'
import { isOwn } from '../overlay/claim.ts'
import type { LeaseAnswer, LeaseRequest } from '../overlay/lease-exchange.ts'
import { parseNetConf } from '../overlay/net-conf.ts'
import { type Options, optionsOf, settingsOf } from './options.ts'
import { claimOf, observeSite } from './site.ts'
import { openStore } from './store/open.ts'
import { readAll } from './store/read-all.ts'
import type { Claim, LeaseStore } from './store/store.ts'

const optionsIn = ({ options }: LeaseRequest): Options =>
  optionsOf(settingsOf([{ nameOf: (key) => `--${key}`, values: options }]))

const ask = async (store: LeaseStore, request: LeaseRequest, signal: AbortSignal): Promise<LeaseAnswer> => {
  const netConf = await store.readNetConf(signal)
  const conf = parseNetConf(netConf)
  const publicAddresses = (await store.publicAddresses?.(signal)) ?? {}
  const options = optionsIn(request)
  const claim = withKernel('', (kernel): Claim => {
    const { site } = observeSite({ conf, options, publicAddresses, before: undefined, last: undefined }, kernel)
    return claimOf(site, request.previous)
  })
  const { leases, invalid } = await readAll(store, signal)
  const held = leases.find((lease) => isOwn(lease, claim))
  const own = request.question === 'take' ? (await store.acquire(claim, conf, signal)).lease : held
  return {
    ...{ netConf, publicAddresses, leases, invalid: Object.fromEntries(invalid) },
    ...(own === undefined ? {} : { own }),
    isNew: own !== undefined && held === undefined,
  }
}

/** @throws StoreError; DecodeError for options, a network configuration, or an underlay that will not do */
export const answerLease = async (request: LeaseRequest, signal: AbortSignal): Promise<LeaseAnswer> => {
  const store = await openStore(optionsIn(request))
  try {
    return await ask(store, request, signal)
  } finally {
    store.close()
  }
}
