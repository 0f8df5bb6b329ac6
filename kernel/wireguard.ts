/** Fact: a WireGuard device has its key and its port. The link itself is a `LinkFact`; its peers are facts of their own. */
import { ENODEV, NetlinkError } from '../netlink/error.ts'
import { setWireguard } from '../netlink/wireguard.ts'
import { getWireguard, type WireguardDevice } from '../netlink/wireguard-dump.ts'
import { NO_KEY } from '../netlink/wireguard-key.ts'
import type { Kernel } from './kernel.ts'
import type { Fact, Ns, Operations } from './plan.ts'

export interface WireguardFact {
  readonly kind: 'wireguard'
  readonly ns: Ns
  readonly dev: string
  /** Base64. Never printed. */
  readonly privateKey: string
  /** UDP. */
  readonly listenPort: number
}

/** What a secret is printed as. */
export const HIDDEN = '(hidden)'

const render = (fact: WireguardFact): string =>
  `wg set ${fact.dev} private-key ${HIDDEN} listen-port ${fact.listenPort}`

/** `fact` without what must stay secret: for status and diagnosis. It renders alike, and its drift leaves secrets out. */
export const withoutSecrets = <F extends Fact>(fact: F): F => ({
  ...fact,
  ...('privateKey' in fact ? { privateKey: HIDDEN } : {}),
  ...('presharedKey' in fact ? { presharedKey: HIDDEN } : {}),
})

/** Whether a secret of the kernel's is the one of a fact, as far as the fact says. */
export const isSameSecret = (wanted: string | undefined, found: string | undefined): boolean =>
  wanted === HIDDEN || wanted === found

/** Why `found` is not as `fact` says; undefined when it is. */
export const deviceDifference = (fact: WireguardFact, found: WireguardDevice | undefined): string | undefined => {
  if (found === undefined) return `interface ${fact.dev} is missing`
  if (!isSameSecret(fact.privateKey, found.privateKey))
    return `${fact.dev} has ${found.privateKey === undefined ? 'no' : 'another'} private key`
  if (found.listenPort !== fact.listenPort)
    return `${fact.dev} listens on port ${found.listenPort}, not ${fact.listenPort}`
  return undefined
}

const send = (
  fact: WireguardFact,
  { privateKey, listenPort }: Pick<WireguardFact, 'privateKey' | 'listenPort'>,
  kernel: Kernel,
): void => {
  const socket = kernel.generic(fact.ns)
  socket.request(() => render(fact), setWireguard(socket, fact.dev, { privateKey, listenPort }))
}

const drift = (fact: WireguardFact, kernel: Kernel): string | undefined =>
  deviceDifference(fact, getWireguard(kernel.generic(fact.ns), fact.dev))

/** The key that is set already is not set again: the kernel would keep its sessions, but need not be asked to. */
const ensure = (fact: WireguardFact, kernel: Kernel): boolean => {
  if (drift(fact, kernel) === undefined) return false
  send(fact, fact, kernel)
  return true
}

const remove = (fact: WireguardFact, kernel: Kernel): void => {
  try {
    send(fact, { privateKey: NO_KEY, listenPort: 0 }, kernel)
  } catch (error) {
    if (!(error instanceof NetlinkError && error.errno === ENODEV)) throw error
  }
}

export const wireguardOperations: Operations<WireguardFact> = { render, ensure, remove, drift }
