/** Statements that end a rule as iptables targets. iptables-extensions(8) TARGET EXTENSIONS. */
import type { Family } from '../addr/ip.ts'
import type { Expr } from './expression.ts'
import { unsayable } from './iptables-refusal.ts'
import type { NatFlag, RejectWith, Statement } from './ruleset.ts'
import { numberOf, type Scalar } from './value.ts'

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>

const FLAGS: Readonly<Record<NatFlag, string>> = {
  random: '--random',
  'fully-random': '--random-fully',
  persistent: '--persistent',
}
const flagArguments = (flags: readonly NatFlag[] = []): readonly string[] => flags.map((flag) => FLAGS[flag])

const literal = (expr: Expr | undefined, statement: Statement): Scalar | undefined => {
  if (expr === undefined) return undefined
  if (expr.kind !== 'value') throw unsayable(statement)
  return expr.value
}

/** `10.0.0.2:80`, `[fd00::2]:80`, `:80`. */
const destination = (statement: Of<'dnat' | 'snat'>): string => {
  const address = literal(statement.to, statement) ?? ''
  const port = literal(statement.port, statement)
  if (port === undefined) return String(address)
  return `${String(address).includes(':') ? `[${address}]` : address}:${port}`
}

const FAMILY_NAME = { 4: 'ip', 6: 'ip6' } as const

const natTarget = (statement: Of<'dnat' | 'snat'>, family: Family): readonly string[] | 'never' => {
  if ((statement.family ?? FAMILY_NAME[family]) !== FAMILY_NAME[family]) return 'never'
  const words = statement.kind === 'dnat' ? ['DNAT', '--to-destination'] : ['SNAT', '--to-source']
  return ['-j', ...words, destination(statement), ...flagArguments(statement.flags)]
}

const ICMP: Readonly<Record<RejectWith, readonly [ipv4: string, ipv6: string]>> = {
  'icmpx port-unreachable': ['icmp-port-unreachable', 'icmp6-port-unreachable'],
  'icmpx admin-prohibited': ['icmp-admin-prohibited', 'icmp6-adm-prohibited'],
  'icmpx host-unreachable': ['icmp-host-unreachable', 'icmp6-addr-unreachable'],
  'icmpx no-route': ['icmp-net-unreachable', 'icmp6-no-route'],
  'tcp reset': ['tcp-reset', 'tcp-reset'],
}

const hexOf = (value: number): string => `0x${(value >>> 0).toString(16)}`
/** `mark = (mark & ~mask) ^ value`. */
const xmark = (value: number, mask: number): readonly string[] => ['--set-xmark', `${hexOf(value)}/${hexOf(mask)}`]
const ALL = 0xffffffff

const isMark = (expr: Expr, where: 'meta' | 'ct'): boolean => expr.kind === where && expr.key === 'mark'

const markTarget = (statement: Of<'set'>): readonly string[] => {
  const { target, to } = statement
  const [own, other] = target === 'meta mark' ? (['meta', 'ct'] as const) : (['ct', 'meta'] as const)
  const name = own === 'meta' ? 'MARK' : 'CONNMARK'
  if (to.kind === 'value') return ['-j', name, ...xmark(numberOf('mark', to.value), ALL)]
  if (to.kind === 'bits' && isMark(to.of, own)) return ['-j', name, ...xmark(to.xor, ALL ^ to.mask)]
  if (isMark(to, other)) return ['-j', 'CONNMARK', own === 'meta' ? '--restore-mark' : '--save-mark']
  throw unsayable(statement)
}

const zoneTarget = (statement: Of<'set'>): readonly string[] => [
  ...['-j', 'CT', '--zone'],
  String(literal(statement.to, statement)),
]

const logTarget = ({ prefix, group }: Of<'log'>): readonly string[] => {
  if (group === undefined) return ['-j', 'LOG', ...(prefix === undefined ? [] : ['--log-prefix', prefix])]
  const named = prefix === undefined ? [] : ['--nflog-prefix', prefix]
  return ['-j', 'NFLOG', ...named, '--nflog-group', String(group)]
}

const queueTarget = ({ from, to = from, bypass, fanout }: Of<'queue'>): readonly string[] => [
  ...['-j', 'NFQUEUE'],
  ...(to === from ? ['--queue-num', String(from)] : ['--queue-balance', `${from}:${to}`]),
  ...(bypass === true ? ['--queue-bypass'] : []),
  ...(fanout === true ? ['--queue-cpu-fanout'] : []),
]

const redirectTarget = (statement: Of<'redirect'>): readonly string[] => {
  const port = literal(statement.port, statement)
  const to = port === undefined ? [] : ['--to-ports', String(port)]
  return ['-j', 'REDIRECT', ...to, ...flagArguments(statement.flags)]
}

/** Arguments of a target; `never` when it cannot apply to a packet of the family; undefined for a statement that is no
 *  target. @throws DecodeError for one that iptables cannot say */
export const targetArguments = (statement: Statement, family: Family): readonly string[] | 'never' | undefined => {
  switch (statement.kind) {
    case 'accept':
    case 'drop':
    case 'return':
      return ['-j', statement.kind.toUpperCase()]
    case 'jump':
      return ['-j', statement.chain]
    case 'goto':
      return ['-g', statement.chain]
    case 'dnat':
    case 'snat':
      return natTarget(statement, family)
    case 'masquerade':
      return ['-j', 'MASQUERADE', ...flagArguments(statement.flags)]
    case 'redirect':
      return redirectTarget(statement)
    case 'reject':
      return ['-j', 'REJECT', '--reject-with', ICMP[statement.with][family === 4 ? 0 : 1]]
    case 'set':
      return statement.target === 'ct zone' ? zoneTarget(statement) : markTarget(statement)
    case 'log':
      return logTarget(statement)
    case 'queue':
      return queueTarget(statement)
    case 'notrack':
      return ['-j', 'CT', '--notrack']
    case 'dynset':
    case 'vmap':
    case 'lookup':
      throw unsayable(statement)
    default:
      return undefined
  }
}
