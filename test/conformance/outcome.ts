/** How one call of a plugin ended, and the words for what is wrong with it. Every function that judges throws an Error
 *  whose message is the reason printed in the table. */
import { quote } from '../../addr/error.ts'
import type { Output } from './process.ts'
import { difference, type State } from './state.ts'
import type { Json } from './version.ts'

export interface Outcome extends Output {
  /** stdout as JSON; undefined when it is empty or no JSON. */
  readonly json: Json | undefined
}

export const outcomeOf = (output: Output): Outcome => {
  try {
    return { ...output, json: JSON.parse(output.stdout) }
  } catch {
    return { ...output, json: undefined }
  }
}

/** @throws Error `why` unless `holds` */
export const demand: (holds: boolean, why: string) => asserts holds = (holds, why) => {
  if (!holds) throw new Error(why)
}

/** `code 7: missing network name`, or what was printed instead of an error. */
export const said = ({ json, stdout, stderr, status }: Outcome): string =>
  json?.['code'] === undefined
    ? `status ${status}, ${quote(stdout.trim() || stderr.trim())}`
    : `code ${json['code']}: ${quote(json['msg'])}`

/** The outcome itself. @throws Error unless `what` succeeded */
export const succeeded = (what: string, outcome: Outcome): Outcome => {
  demand(outcome.status === 0, `${what} is refused: ${said(outcome)}`)
  return outcome
}

/** The outcome itself. @throws Error unless `what` failed with a JSON error on stdout; of one of `codes` when given */
export const refused = (what: string, outcome: Outcome, codes: readonly number[] = []): Outcome => {
  demand(outcome.status !== 0, `${what} succeeds`)
  const code = outcome.json?.['code']
  demand(typeof code === 'number', `${what}: no error JSON on stdout, but ${said(outcome)}`)
  const wanted = `${what}: ${said(outcome)}, not code ${codes.join(' or ')}`
  demand(codes.length === 0 || codes.includes(code), wanted)
  return outcome
}

/** @throws Error unless the error text names one of `words` */
export const names = (what: string, outcome: Outcome, ...words: readonly string[]): void => {
  const text = `${outcome.json?.['msg']} ${outcome.json?.['details']}`
  demand(
    words.some((word) => text.includes(word)),
    `${what}: the error does not name ${words.join(' or ')}: ${said(outcome)}`,
  )
}

const SHOWN = 3
const list = (lines: readonly string[]): string => {
  const more = lines.length > SHOWN ? `; and ${lines.length - SHOWN} more` : ''
  const shown = lines.slice(0, SHOWN).map((line) => line.slice(0, 160))
  return `${shown.join('; ')}${more}`
}

/** As `same`, but what networks share may go when the last attachment has gone. @throws Error */
export const noneLeft = (what: string, before: State, after: State): void => {
  const found = difference(before, after).filter((line) => line.startsWith('+'))
  demand(found.length === 0, `${what}: ${list(found)}`)
}

/** @throws Error naming the first few differences */
export const same = (what: string, before: State, after: State): void => {
  const found = difference(before, after)
  demand(found.length === 0, `${what}: ${list(found)}`)
}
