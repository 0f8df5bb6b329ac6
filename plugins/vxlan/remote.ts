/** The stores `etcd` and `kubernetes`: asked by `podwire node lease`, a process of this same executable. */
import { readFileSync } from 'node:fs'
import { DecodeError } from '../../addr/error.ts'
import { CniError, ERR_IO } from '../../cni/error.ts'
import { homeFolder } from '../../native/addon.ts'
import type { Claim } from '../../overlay/claim.ts'
import type { LeaseAnswer, LeaseRequest } from '../../overlay/lease-exchange.ts'
import { type NetConf, parseNetConf } from '../../overlay/net-conf.ts'
import { requireSame } from './agreement.ts'
import { requireVxlan, type StoreConf, type VxlanConf } from './conf.ts'

/** Longest time for an answer, in ms: more than `podwire node lease` gives itself. */
const PATIENCE = 20_000

type RemoteStore = Exclude<StoreConf, { readonly type: 'file' }>

/** `etcdEndpoints` as the agent's option: `etcd-endpoints`. */
const optionKey = (key: string): string => key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** What kubelet calls its node when nothing else is said, so that one configuration does for all nodes. */
const nodeName = (): string => readFileSync('/proc/sys/kernel/hostname', 'utf8').trim().toLowerCase()

const optionsOf = ({ type, options }: RemoteStore, { ways }: VxlanConf): LeaseRequest['options'] => ({
  ...(type === 'kubernetes' ? { 'kube-node-name': nodeName() } : {}),
  ...Object.fromEntries(Object.entries(options).map(([key, value]) => [optionKey(key), value])),
  ...{ store: type, iface: ways.ifaces, 'iface-regex': ways.ifaceRegexes },
  ...{ 'iface-can-reach': ways.ifaceCanReach ?? '', 'public-ip': ways.publicIP ?? '' },
  'public-ipv6': ways.publicIPv6 ?? '',
})

/** What the launcher says to the engine of a plugin, and CNI to a plugin, is nothing to the command line. */
const environment = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]): [string, string][] =>
      value === undefined || /^(?:BUN|CNI)_/.test(name) ? [] : [[name, value]],
    ),
  )

const run = (
  request: LeaseRequest,
): { readonly status: number | null; readonly stdout: string; readonly why: string } => {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const { status, stdout, stderr, error } = spawnSync(`${homeFolder()}/podwire`, ['node', 'lease'], {
    ...{ input: JSON.stringify(request), encoding: 'utf8', timeout: PATIENCE, maxBuffer: 1 << 28, env: environment() },
  })
  return { status, stdout: stdout ?? '', why: error?.message ?? stderr ?? '' }
}

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @throws CniError as `podwire node lease` says; 5 when it says nothing */
const answerTo = (request: LeaseRequest): LeaseAnswer => {
  const { status, stdout, why } = run(request)
  const json = readJson(stdout)
  if (status === 0 && json !== undefined) return json as LeaseAnswer
  const { code, msg, details = '' } = Object(json) as { code?: unknown; msg?: unknown; details?: unknown }
  if (typeof code === 'number' && typeof msg === 'string') throw new CniError(code, msg, String(details))
  throw new CniError(ERR_IO, `podwire node lease ended with status ${status} and no answer`, why.slice(0, 2000))
}

const confIn = ({ netConf }: LeaseAnswer, { netConf: given }: VxlanConf): NetConf => {
  try {
    const conf = parseNetConf(netConf)
    requireVxlan(conf, '$')
    if (given !== undefined) requireSame('the store', given.conf, conf)
    return conf
  } catch (error) {
    if (!(error instanceof DecodeError) || error.path === '$.netConf') throw error
    throw new DecodeError(`network configuration of the store ${error.path}`, error.problem, { cause: error })
  }
}

/** @throws CniError, DecodeError */
export const askRemote = (
  store: RemoteStore,
  conf: VxlanConf,
  question: LeaseRequest['question'],
  previous: Claim['previous'],
): { readonly answer: LeaseAnswer; readonly netConf: NetConf } => {
  const answer = answerTo({ question, options: optionsOf(store, conf), previous })
  return { answer, netConf: confIn(answer, conf) }
}
