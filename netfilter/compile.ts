/** Rules into instructions: registers, byte order, and the checks of protocol that reading a header's field needs, as stock
 *  `nft` compiles them (the golden tests compare). */
import { DecodeError, quote } from '../addr/error.ts'
import type { Instruction } from '../netlink/nftables-instruction.ts'
import * as op from '../netlink/nftables-opcode.ts'
import * as nf from '../netlink/nftables-uapi.ts'
import { lengthOfTypes, specOf } from './datatype.ts'
import { dependencies, knownOf, learn } from './dependency.ts'
import { CT, META } from './expression.ts'
import { familyNumber } from './family.ts'
import { load, loadKey, registerAt, SLOTS_OF_REGISTER, slotsOf, typesOf } from './load.ts'
import { compileMatch } from './match.ts'
import type { NatFlag, RejectWith, Rule, Statement, Table, Verdict } from './ruleset.ts'
import { setOf } from './statement.ts'

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>
const REG = registerAt(0)

/** Code and chain of a verdict, as they stand in a rule and in a map. */
export const verdictData = (verdict: Verdict): { readonly code: number; readonly chain?: string } => {
  switch (verdict.kind) {
    case 'accept':
      return { code: nf.NF_ACCEPT }
    case 'drop':
      return { code: nf.NF_DROP }
    case 'return':
      return { code: nf.NFT_RETURN }
    case 'jump':
      return { code: nf.NFT_JUMP, chain: verdict.chain }
    case 'goto':
      return { code: nf.NFT_GOTO, chain: verdict.chain }
  }
}

const keyed = (key: Of<'lookup'>['key'], set: string, table: Table): Instruction[] =>
  loadKey(key, table, 0, setOf(table, set).interval === true)

const DYNSET = { add: 0, update: 1, delete: 2 } as const

const compileDynset = (statement: Of<'dynset'>, table: Table): Instruction[] => {
  const { key, data, timeout, set } = statement
  const slots = slotsOf(lengthOfTypes(typesOf(key, table)))
  const slot = Math.ceil(slots / SLOTS_OF_REGISTER) * SLOTS_OF_REGISTER
  return [
    ...keyed(key, set, table),
    ...(data === undefined ? [] : load(data, table, slot)),
    op.dynset(
      DYNSET[statement.op],
      set,
      REG,
      data === undefined ? undefined : registerAt(slot),
      timeout === undefined ? undefined : BigInt(timeout * 1000),
    ),
  ]
}

const NAT_FLAGS: Readonly<Record<NatFlag, number>> = { random: 4, persistent: 8, 'fully-random': 16 }
/** NF_NAT_RANGE_PROTO_SPECIFIED, which the kernel also sets itself. */
const PROTO_SPECIFIED = 2
const natFlags = (flags: readonly NatFlag[] = []): number => flags.reduce((sum, flag) => sum | NAT_FLAGS[flag], 0)

/** Registers that hold address and port: of a map both, one after the other; else each where a register begins. */
const compileNat = (statement: Of<'dnat' | 'snat'>, table: Table): Instruction[] => {
  const { kind, to, port, flags, family } = statement
  const [address, portOfMap] = to === undefined ? [] : typesOf(to, table)
  const width = address === undefined ? 0 : slotsOf(specOf(address).bytes)
  const portSlot = portOfMap === undefined ? (to === undefined ? 0 : SLOTS_OF_REGISTER) : width
  return [
    ...(to === undefined ? [] : load(to, table, 0)),
    ...(port === undefined ? [] : load(port, table, portSlot)),
    op.nat(
      kind === 'snat' ? 0 : 1,
      familyNumber(family ?? table.family),
      to === undefined ? undefined : REG,
      port === undefined && portOfMap === undefined ? undefined : registerAt(portSlot),
      natFlags(flags) | (port === undefined ? 0 : PROTO_SPECIFIED),
    ),
  ]
}

/** NFT_REJECT_* and its code. */
const REJECTS: Readonly<Record<RejectWith, readonly [type: number, code?: number]>> = {
  'icmpx no-route': [2, 0],
  'icmpx port-unreachable': [2, 1],
  'icmpx host-unreachable': [2, 2],
  'icmpx admin-prohibited': [2, 3],
  'tcp reset': [1, 0],
}

const compileSet = ({ target, to }: Of<'set'>, table: Table): Instruction[] => {
  const stored = {
    'meta mark': op.setMeta(META.mark.key, REG),
    'ct mark': op.setCt(CT.mark.key, REG),
    'ct zone': op.setCt(CT.zone.key, REG),
  }
  return [...load(to, table, 0), stored[target]]
}

const SECONDS = { second: 1n, minute: 60n, hour: 3600n, day: 86400n } as const
/** What `nft` sends, and the kernel assumes, when no burst is given. */
export const LIMIT_BURST = 5

const compileQueue = ({ from, to, bypass, fanout }: Of<'queue'>): Instruction =>
  op.queue(from, (to ?? from) - from + 1, (bypass === true ? 1 : 0) | (fanout === true ? 2 : 0))

const compileStatement = (statement: Statement, table: Table): Instruction[] => {
  switch (statement.kind) {
    case 'accept':
    case 'drop':
    case 'return':
    case 'jump':
    case 'goto': {
      const { code, chain } = verdictData(statement)
      return [op.verdict(code, chain)]
    }
    case 'match':
      return compileMatch(statement, table)
    case 'lookup': {
      const { key, set, not } = statement
      return [...keyed(key, set, table), op.lookup(set, REG, undefined, not)]
    }
    case 'vmap':
      return [...keyed(statement.key, statement.map, table), op.lookup(statement.map, REG, nf.NFT_REG_VERDICT)]
    case 'dynset':
      return compileDynset(statement, table)
    case 'dnat':
    case 'snat':
      return compileNat(statement, table)
    case 'masquerade':
      return [op.masq(natFlags(statement.flags))]
    case 'redirect': {
      const { port, flags } = statement
      if (port === undefined) return [op.redir(undefined, natFlags(flags))]
      return [...load(port, table, 0), op.redir(REG, natFlags(flags) | PROTO_SPECIFIED)]
    }
    case 'reject':
      return [op.reject(...REJECTS[statement.with])]
    case 'set':
      return compileSet(statement, table)
    case 'counter':
      return [op.counter]
    case 'log':
      return [op.log(statement.prefix, statement.group)]
    case 'limit': {
      const { rate, per, burst = LIMIT_BURST, over = false } = statement
      return [op.limit(BigInt(rate), SECONDS[per], burst, over)]
    }
    case 'queue':
      return [compileQueue(statement)]
    case 'notrack':
      return [op.notrack]
    case 'raw':
      throw new DecodeError('rule', `${quote(statement.text)} is nft text: only the nft program can load it`)
  }
}

/** The instructions of `rule` in `table`. @throws DecodeError for a value that is not of the type it is compared with, and
 *  for a fragment of text; RangeError for a set the table does not have */
export const compileRule = ({ statements }: Rule, table: Table): Instruction[] => {
  const out: Instruction[] = []
  let known = knownOf(table.family)
  for (const statement of statements) {
    const needed = dependencies(statement, known, table.family)
    for (const each of [...needed.checks, statement]) out.push(...compileStatement(each, table))
    known = learn(statement, needed.known)
  }
  return out
}
