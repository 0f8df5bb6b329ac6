/** What must be known of a packet before a field of a header is read: that it has this header. A rule that has not said so
 *  gets the check in front of the statement that reads, as in stock `nft`; without it the bytes of another protocol would
 *  be taken for the field. */
import { type Expr, meta, type PayloadField, payload } from './expression.ts'
import type { Statement, TableFamily } from './ruleset.ts'
import { equals } from './statement.ts'

/** Protocols a rule has established so far; `undefined`: none yet. */
export interface Known {
  readonly network?: string
  readonly transport?: string
  /** True when it arrived on a link with Ethernet headers. */
  readonly ethernet?: true
}

/** What all packets of a family are known to be. */
export const knownOf = (family: TableFamily): Known => {
  if (family === 'ip' || family === 'ip6') return { network: family }
  return family === 'inet' ? {} : { ethernet: true }
}

const networkCheck = (protocol: string, family: TableFamily): Statement => {
  if (family === 'inet') return equals(meta('nfproto'), protocol === 'ip' ? 'ipv4' : 'ipv6')
  return protocol === 'arp' ? equals(payload('ether type'), 'arp') : equals(meta('protocol'), protocol)
}

const NETWORK: readonly string[] = ['ip', 'ip6', 'arp']
/** Protocols over IP, by the name of their number, and the network protocol of those that belong to one. */
const TRANSPORT: Readonly<Record<string, { readonly name: string; readonly network?: string }>> = {
  tcp: { name: 'tcp' },
  udp: { name: 'udp' },
  sctp: { name: 'sctp' },
  icmp: { name: 'icmp', network: 'ip' },
  icmpv6: { name: 'ipv6-icmp', network: 'ip6' },
}

interface Check {
  readonly check?: Statement
  readonly known: Known
}

const requireNetwork = (protocol: string, known: Known, family: TableFamily): Check =>
  known.network === protocol
    ? { known }
    : { check: networkCheck(protocol, family), known: { ...known, network: protocol } }

const requireTransport = (protocol: string, known: Known): Check => {
  const name = TRANSPORT[protocol]?.name ?? protocol
  if (known.transport === name) return { known }
  return { check: equals(meta('l4proto'), name), known: { ...known, transport: name } }
}

const requireEthernet = (known: Known): Check =>
  known.ethernet ? { known } : { check: equals(meta('iiftype'), 'ether'), known: { ...known, ethernet: true } }

/** ICMP belongs to one network protocol, which is checked first; nothing else over IP does. */
const networkOfField = (protocol: string): string | undefined =>
  NETWORK.includes(protocol) ? protocol : TRANSPORT[protocol]?.network

const protocolOf = (field: PayloadField): string => field.slice(0, field.indexOf(' '))

const requireField = (field: PayloadField, known: Known, family: TableFamily): readonly Check[] => {
  const protocol = protocolOf(field)
  if (protocol === 'ether') return [requireEthernet(known)]
  const network = networkOfField(protocol)
  const first: Check = network === undefined ? { known } : requireNetwork(network, known, family)
  return TRANSPORT[protocol] === undefined ? [first] : [first, requireTransport(protocol, first.known)]
}

/** Fields of headers that an expression reads, in order. */
const fieldsOf = (expr: Expr): readonly PayloadField[] => {
  switch (expr.kind) {
    case 'payload':
      return [expr.field]
    case 'concat':
      return expr.parts.flatMap(fieldsOf)
    case 'bits':
    case 'jhash':
      return fieldsOf(expr.of)
    case 'map':
      return fieldsOf(expr.key)
    default:
      return []
  }
}

const expressionsOf = (statement: Statement): readonly Expr[] => {
  switch (statement.kind) {
    case 'match':
      return [statement.left]
    case 'lookup':
    case 'vmap':
      return [statement.key]
    case 'dynset':
      return statement.data === undefined ? [statement.key] : [statement.key, statement.data]
    case 'set':
      return [statement.to]
    case 'dnat':
    case 'snat':
      return [statement.to, statement.port].filter((expr) => expr !== undefined)
    default:
      return []
  }
}

/** Checks to make in front of `statement`, and what is known after them. */
export const dependencies = (
  statement: Statement,
  known: Known,
  family: TableFamily,
): { readonly checks: readonly Statement[]; readonly known: Known } => {
  const checks: Statement[] = []
  let now = known
  const pass = (check: Check): void => {
    if (check.check !== undefined) checks.push(check.check)
    now = check.known
  }
  for (const field of expressionsOf(statement).flatMap(fieldsOf)) requireField(field, now, family).forEach(pass)
  if (statement.kind === 'reject' && statement.with === 'tcp reset') pass(requireTransport('tcp', now))
  return { checks, known: now }
}

const NFPROTO_NAMES: Readonly<Record<string, string>> = { ipv4: 'ip', ipv6: 'ip6' }

/** What is known after a statement that compares a protocol itself. */
export const learn = (statement: Statement, known: Known): Known => {
  if (statement.kind !== 'match' || statement.op !== '==' || typeof statement.right !== 'string') return known
  const { left, right } = statement
  if (left.kind === 'payload' && (left.field === 'ip protocol' || left.field === 'ip6 nexthdr'))
    return { ...known, transport: right }
  if (left.kind !== 'meta') return known
  if (left.key === 'nfproto') return { ...known, network: NFPROTO_NAMES[right] ?? right }
  if (left.key === 'protocol') return { ...known, network: right }
  return left.key === 'l4proto' ? { ...known, transport: right } : known
}
