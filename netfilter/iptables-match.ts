/** Comparisons as iptables matches. iptables(8), iptables-extensions(8). */
import type { Family } from '../addr/ip.ts'
import { type DataType, specOf } from './datatype.ts'
import type { CtKey, Expr, MetaKey, PayloadField } from './expression.ts'
import { unsayable } from './iptables-refusal.ts'
import type { Statement } from './ruleset.ts'
import { type Field, isRange, numberOf, renderField, type Scalar } from './value.ts'

type Match = Statement & { kind: 'match' }

/** Arguments of a match; `never`: no packet of the family fits, so that the rule says nothing there. */
export type Arguments = readonly string[] | 'never'

/** Where several matches are of one extension, its `-m` stands once: arguments are joined by `joinMatches`. */
const extension = (name: string, ...args: readonly string[]): Arguments => ['-m', name, ...args]

const text = (type: DataType, field: Field): string => renderField(type, field).replaceAll('"', '')
/** A range of ports or of marks, in iptables' own spelling. */
const span = (type: DataType, field: Field): string =>
  isRange(field) ? `${text(type, field.from)}:${text(type, field.to)}` : text(type, field)

const link = (name: string): string => name.replace(/\*$/, '+')
const hexOf = (value: number): string => `0x${(value >>> 0).toString(16)}`

const single = (match: Match): Field => {
  if (Array.isArray(match.right)) throw unsayable(match)
  return match.right as Field
}
const scalar = (match: Match): Scalar => {
  const field = single(match)
  if (isRange(field)) throw unsayable(match)
  return field
}

const NFPROTO: Readonly<Record<string, Family>> = { ipv4: 4, ipv6: 6 }

const metaMatch = (key: MetaKey, match: Match, family: Family): Arguments => {
  switch (key) {
    case 'iifname':
      return ['-i', link(String(scalar(match)))]
    case 'oifname':
      return ['-o', link(String(scalar(match)))]
    case 'l4proto':
      return ['-p', String(scalar(match))]
    case 'nfproto':
      return NFPROTO[String(scalar(match))] === family ? [] : 'never'
    case 'mark':
      return extension('mark', '--mark', hexOf(numberOf('mark', scalar(match))))
    case 'skuid':
      return extension('owner', '--uid-owner', String(scalar(match)))
    case 'pkttype':
      return extension('pkttype', '--pkt-type', String(scalar(match)).replace('host', 'unicast'))
    default:
      throw unsayable(match)
  }
}

const STATES = new Map([
  ['established', 'ESTABLISHED'],
  ['related', 'RELATED'],
  ['new', 'NEW'],
  ['invalid', 'INVALID'],
  ['untracked', 'UNTRACKED'],
  ['dnat', 'DNAT'],
  ['snat', 'SNAT'],
])

const stateNames = (match: Match): string => {
  const names = Array.isArray(match.right) ? (match.right as readonly string[]) : [String(match.right)]
  return names
    .map((name) => {
      const state = STATES.get(name)
      if (state === undefined) throw unsayable(match)
      return state
    })
    .join(',')
}

const FAMILY_OF_CT: Readonly<Partial<Record<CtKey, Family>>> = {
  'ip saddr': 4,
  'ip daddr': 4,
  'ip6 saddr': 6,
  'ip6 daddr': 6,
}

const CT_OPTIONS: Readonly<Partial<Record<CtKey, readonly [original: string, reply: string]>>> = {
  'ip saddr': ['--ctorigsrc', '--ctreplsrc'],
  'ip daddr': ['--ctorigdst', '--ctrepldst'],
  'ip6 saddr': ['--ctorigsrc', '--ctreplsrc'],
  'ip6 daddr': ['--ctorigdst', '--ctrepldst'],
  'proto-src': ['--ctorigsrcport', '--ctreplsrcport'],
  'proto-dst': ['--ctorigdstport', '--ctrepldstport'],
}

const ctMatch = ({ key, direction }: Expr & { kind: 'ct' }, match: Match, family: Family): Arguments => {
  if (key === 'state' || key === 'status') return extension('conntrack', '--ctstate', stateNames(match))
  if (key === 'mark') return extension('connmark', '--mark', hexOf(numberOf('mark', scalar(match))))
  if (key === 'direction') return extension('conntrack', '--ctdir', String(scalar(match)).toUpperCase())
  const options = CT_OPTIONS[key]
  if (options === undefined || direction === undefined) throw unsayable(match)
  if ((FAMILY_OF_CT[key] ?? family) !== family) return 'never'
  return extension('conntrack', options[direction === 'original' ? 0 : 1], String(scalar(match)))
}

const addressMatch = (option: 's' | 'd', type: DataType, field: Field): Arguments => {
  if (!isRange(field)) return [`-${option}`, text(type, field)]
  return extension('iprange', option === 's' ? '--src-range' : '--dst-range', `${field.from}-${field.to}`)
}

const ICMP = { 'icmp type': ['icmp', '--icmp-type', 4], 'icmpv6 type': ['icmp6', '--icmpv6-type', 6] } as const

const portMatch = (field: PayloadField, match: Match): Arguments => {
  const [protocol = '', end = ''] = field.split(' ')
  return ['-p', protocol, '-m', protocol, `--${end}`, span('inet_service', single(match))]
}

const payloadMatch = (field: PayloadField, match: Match, family: Family): Arguments => {
  switch (field) {
    case 'ip saddr':
    case 'ip daddr':
      return family === 4 ? addressMatch(field === 'ip saddr' ? 's' : 'd', 'ipv4_addr', single(match)) : 'never'
    case 'ip6 saddr':
    case 'ip6 daddr':
      return family === 6 ? addressMatch(field === 'ip6 saddr' ? 's' : 'd', 'ipv6_addr', single(match)) : 'never'
    case 'ip protocol':
      return family === 4 ? ['-p', String(scalar(match))] : 'never'
    case 'icmp type':
    case 'icmpv6 type': {
      const [module, option, own] = ICMP[field]
      const type = numberOf(field === 'icmp type' ? 'icmp_type' : 'icmpv6_type', scalar(match))
      return own === family ? ['-p', own === 4 ? 'icmp' : 'ipv6-icmp', '-m', module, option, String(type)] : 'never'
    }
    case 'tcp sport':
    case 'tcp dport':
    case 'udp sport':
    case 'udp dport':
    case 'sctp sport':
    case 'sctp dport':
      return portMatch(field, match)
    default:
      throw unsayable(match)
  }
}

const fibMatch = ({ flags, result }: Expr & { kind: 'fib' }, match: Match): Arguments => {
  const [only, ...more] = flags
  if (result !== 'type' || more.length > 0 || (only !== 'saddr' && only !== 'daddr')) throw unsayable(match)
  return extension('addrtype', only === 'saddr' ? '--src-type' : '--dst-type', String(scalar(match)).toUpperCase())
}

/** `mark & mask == value`, `tcp flags & mask == value`. */
const bitsMatch = ({ of, mask, xor }: Expr & { kind: 'bits' }, match: Match): Arguments => {
  if (xor !== 0) throw unsayable(match)
  if (of.kind === 'payload' && of.field === 'tcp flags') return flagsMatch(mask, numberOf('tcp_flag', scalar(match)))
  const module =
    of.kind === 'meta' && of.key === 'mark' ? 'mark' : of.kind === 'ct' && of.key === 'mark' ? 'connmark' : ''
  if (module === '') throw unsayable(match)
  return extension(module, '--mark', `${hexOf(numberOf('mark', scalar(match)))}/${hexOf(mask)}`)
}

const flagNames = (bits: number): string =>
  Object.entries(specOf('tcp_flag').names ?? {})
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name.toUpperCase())
    .join(',') || 'NONE'

const flagsMatch = (mask: number, value: number): Arguments => [
  ...['-p', 'tcp', '-m', 'tcp', '--tcp-flags'],
  ...[flagNames(mask), flagNames(value)],
]

const plain = (match: Match, family: Family): Arguments => {
  const { left } = match
  switch (left.kind) {
    case 'meta':
      return metaMatch(left.key, match, family)
    case 'payload':
      return payloadMatch(left.field, match, family)
    case 'ct':
      return ctMatch(left, match, family)
    case 'fib':
      return fibMatch(left, match)
    case 'bits':
      return bitsMatch(left, match)
    default:
      throw unsayable(match)
  }
}

/** `!` stands before the option that is compared, the last one with a value. */
const negate = (args: readonly string[]): string[] => {
  const at = args.findLastIndex((arg) => arg.startsWith('-'))
  return [...args.slice(0, at), '!', ...args.slice(at)]
}

/** @throws DecodeError for a comparison that iptables cannot say */
export const matchArguments = (match: Match, family: Family): Arguments => {
  if (match.op !== '==' && match.op !== '!=') throw unsayable(match)
  const args = plain(match, family)
  if (args === 'never' || args.length === 0) return match.op === '==' ? args : args === 'never' ? [] : 'never'
  return match.op === '==' ? args : negate(args)
}
