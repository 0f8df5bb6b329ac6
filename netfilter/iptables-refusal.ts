/** What iptables has no words for. */
import { DecodeError, quote } from '../addr/error.ts'
import type { Statement } from './ruleset.ts'

/** The error that refuses a statement of a ruleset. */
export const unsayable = (statement: Statement): DecodeError =>
  new DecodeError(
    `iptables ${statement.kind}`,
    `${quote(statement)} cannot be said with iptables: use the nftables backend`,
  )
