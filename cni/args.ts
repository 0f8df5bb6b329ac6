/** CNI_ARGS: `K=V;K2=V2` (SPEC.md §2 Parameters), with libcni's rule that a key the plugin does not know is an error
 *  unless `IgnoreUnknown` is true. */
import { quote } from '../addr/error.ts'
import { CniError, ERR_ENVIRONMENT } from './error.ts'

export type Args = Readonly<Record<string, string>>

const TRUTH: Readonly<Record<string, boolean>> = { '1': true, true: true, '0': false, false: false }

const refuse = (problem: string): never => {
  throw new CniError(ERR_ENVIRONMENT, `invalid CNI_ARGS: ${problem}`)
}

const parsePair = (pair: string): [key: string, value: string] => {
  const parts = pair.split('=')
  const [key = '', value = ''] = parts
  if (parts.length !== 2 || key === '') return refuse(`${quote(pair)} is not KEY=VALUE; pairs are separated by ';'`)
  return [key, value]
}

const parseTruth = (value: string): boolean => {
  const truth = Object.entries(TRUTH).find(([word]) => word === value.toLowerCase())
  return truth?.[1] ?? refuse(`IgnoreUnknown=${quote(value)} is none of 1, true, 0, false`)
}

/** The pairs of `text`. `known` are the keys the plugin reads; undefined for a plugin that reads none and therefore
 *  minds none. @throws CniError 4 */
export const parseArgs = (text: string, known: readonly string[] | undefined): Args => {
  if (text === '') return {}
  const pairs = text.split(';').map(parsePair)
  const args = Object.fromEntries(pairs)
  const lenient = Object.hasOwn(args, 'IgnoreUnknown') && parseTruth(args.IgnoreUnknown ?? '')
  const unknown = pairs.map(([key]) => key).filter((key) => key !== 'IgnoreUnknown' && !known?.includes(key))
  if (known !== undefined && unknown.length > 0 && !lenient)
    refuse(`unknown ${unknown.map(quote).join(', ')}; known: ${known.join(', ')}. IgnoreUnknown=1 allows others`)
  return args
}
