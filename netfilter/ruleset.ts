/** A ruleset as data: a table with its chains, rules, sets and maps, in nft's own words. Rendered to netlink messages
 *  (`transaction.ts`), to `nft` text (`text.ts`) and, as far as iptables can say it, to iptables-restore text. */
import type { DataType } from './datatype.ts'
import type { Expr } from './expression.ts'
import type { Field, Scalar } from './value.ts'

export type TableFamily = 'ip' | 'ip6' | 'inet' | 'bridge' | 'netdev'

export interface Table {
  readonly family: TableFamily
  readonly name: string
  /** At most 127 bytes, as every comment. */
  readonly comment?: string
  /** Of a table that never varies: the hash of sets and chains (kernel/nft-table.ts `layoutOf`), known without building
   *  them. */
  readonly layout?: string
  readonly sets: readonly SetDecl[]
  readonly chains: readonly Chain[]
}

/** A set; a map when it has `data`. Elements are not part of it: they come and go. */
export interface SetDecl {
  readonly name: string
  /** One type, or the parts of a concatenation. */
  readonly key: readonly DataType[]
  readonly data?: readonly DataType[] | 'verdict'
  /** What keys and data are, part by part, where the types alone do not say it: an integer has no width. Shown by `nft`
   *  in place of the types. */
  readonly typeof?: { readonly key: readonly Expr[]; readonly data?: readonly Expr[] }
  /** Keys may be ranges and prefixes. */
  readonly interval?: true
  /** Rules may add elements (`update`). */
  readonly dynamic?: true
  /** Seconds an element lives unless it says otherwise; 0: only those that say so expire. */
  readonly timeout?: number
  /** Most elements. */
  readonly size?: number
  /** Each element counts its packets. */
  readonly counter?: true
  readonly comment?: string
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress'

export interface BaseChain {
  readonly type: 'filter' | 'nat' | 'route'
  readonly hook: Hook
  /** Lower runs first; the numbers behind `dstnat` and the like are in `priority.ts`. */
  readonly priority: number
  /** `accept` when absent. */
  readonly policy?: 'accept' | 'drop'
  /** Of netdev chains, and of inet's ingress. */
  readonly device?: string
}

export interface Chain {
  readonly name: string
  /** Absent: packets come only by jump, goto or a verdict map. */
  readonly base?: BaseChain
  readonly comment?: string
  readonly rules: readonly Rule[]
}

export interface Rule {
  readonly statements: readonly Statement[]
  readonly comment?: string
}

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'jump'; readonly chain: string }
  | { readonly kind: 'goto'; readonly chain: string }

/** One element. `key` has one field for each type of the set's key, `data` one scalar for each type of its data. */
export interface Element {
  readonly key: readonly Field[]
  readonly data?: readonly Scalar[] | Verdict
  /** Seconds. */
  readonly timeout?: number
  /** Whose it is. */
  readonly comment?: string
}

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='
export type NatFlag = 'random' | 'fully-random' | 'persistent'
export type RejectWith =
  | 'icmpx port-unreachable'
  | 'icmpx admin-prohibited'
  | 'icmpx no-route'
  | 'icmpx host-unreachable'
  | 'tcp reset'

export type Statement =
  | Verdict
  /** The rule goes on when the comparison holds. A list of names on the right: when any of these bits is set. */
  | {
      readonly kind: 'match'
      readonly left: Expr
      readonly op: Comparison
      readonly right: Field | readonly string[]
    }
  /** The rule goes on when `key` is in the set, or with `not` when it is not. */
  | { readonly kind: 'lookup'; readonly key: Expr; readonly set: string; readonly not?: true }
  /** The verdict that a verdict map holds for `key`; the rule goes on for one that is not in it. */
  | { readonly kind: 'vmap'; readonly key: Expr; readonly map: string }
  /** Adds to a dynamic set from the packet path; `update` also restarts the element's timeout (seconds). */
  | {
      readonly kind: 'dynset'
      readonly op: 'add' | 'update' | 'delete'
      readonly set: string
      readonly key: Expr
      readonly data?: Expr
      readonly timeout?: number
    }
  /** `to` may be a map whose data are an address and a port; `family` is needed where the table holds both. */
  | {
      readonly kind: 'dnat' | 'snat'
      readonly family?: 'ip' | 'ip6'
      readonly to?: Expr
      readonly port?: Expr
      readonly flags?: readonly NatFlag[]
    }
  | { readonly kind: 'masquerade'; readonly flags?: readonly NatFlag[] }
  | { readonly kind: 'redirect'; readonly port?: Expr; readonly flags?: readonly NatFlag[] }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  | { readonly kind: 'set'; readonly target: 'meta mark' | 'ct mark' | 'ct zone'; readonly to: Expr }
  | { readonly kind: 'counter' }
  | { readonly kind: 'log'; readonly prefix?: string; readonly group?: number }
  | {
      readonly kind: 'limit'
      readonly rate: number
      readonly per: 'second' | 'minute' | 'hour' | 'day'
      readonly burst?: number
      /** Matches what exceeds the rate instead of what keeps it. */
      readonly over?: true
    }
  | {
      readonly kind: 'queue'
      readonly from: number
      readonly to?: number
      readonly bypass?: true
      readonly fanout?: true
    }
  | { readonly kind: 'notrack' }
  /** A fragment in `nft`'s language that a user wrote. Only the text rendering can say it. */
  | { readonly kind: 'raw'; readonly text: string }
