/** Whether an answer is what the specification and an operator may expect. Each function returns what is wrong. */
import { quote } from '../../addr/error.ts'
import { readIp } from '../../addr/ip.ts'
import { ERR_DEFECT } from '../../cni/error.ts'
import type { Output } from '../../cni/skel.ts'
import type { Json } from '../conformance/version.ts'
import { type KeyPath, schemaPath } from './key-path.ts'

const readJson = (text: string): Json | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

/** Characters that fit a runtime's log line. */
const LONGEST = 2000
const KEYS: readonly string[] = ['cniVersion', 'code', 'msg', 'details']

const isTyped = (code: unknown): boolean =>
  Number.isInteger(code) &&
  code !== ERR_DEFECT &&
  code !== 999 &&
  ((Number(code) > 0 && Number(code) <= 11) || Number(code) >= 50)

/** Of an answer of any kind: exit status, and JSON on stdout. SPEC.md §5 */
export const protocolProblems = ({ status, stdout }: Output): readonly string[] => {
  const json = readJson(stdout)
  if (status === 0) return stdout === '' || json !== undefined ? [] : [`stdout is ${quote(stdout)}`]
  if (json === undefined) return [`status ${status} without error JSON: ${quote(stdout)}`]
  const { code, msg, details } = json
  return [
    ...(isTyped(code) ? [] : [`code ${quote(code)}: ${quote(msg)} ${String(details).slice(0, 400)}`]),
    ...(typeof msg === 'string' && msg.length > 0 ? [] : [`msg is ${quote(msg)}`]),
    ...(details === undefined || typeof details === 'string' ? [] : [`details is ${quote(details)}`]),
    ...Object.keys(json)
      .filter((key) => !KEYS.includes(key))
      .map((key) => `unknown key ${key}`),
    ...(/[\0\r]/.test(String(msg)) ? [`msg holds raw control characters: ${quote(msg)}`] : []),
    ...(String(msg).length > LONGEST ? [`msg is ${String(msg).length} characters long`] : []),
  ]
}

export const codeOf = ({ stdout }: Output): number => Number(readJson(stdout)?.['code'] ?? 0)
export const textOf = ({ stdout }: Output): string => {
  const json = readJson(stdout)
  return `${json?.['msg'] ?? ''} ${json?.['details'] ?? ''}`
}

const REASON =
  / is (?:not|no|none|neither|longer|bytes|an|at)|missing|holds|cannot|must|contains|needs|allowed|outside|unknown|names no|give |no interface|overlaps|more than|above|before it|exclude|at least|no plugin|refused/

/** Of the refusal of a value at `path`, for what the value is: it names the key, the value, and what is allowed. */
export const refusalProblems = (output: Output, path: KeyPath, value: unknown): readonly string[] => {
  const text = textOf(output)
  const key = path.findLast((part) => typeof part === 'string') ?? ''
  const isPlain = typeof value !== 'object' && value !== undefined
  const wanted = [
    ...(text.includes(String(key)) ? [] : [`does not name ${schemaPath(path)}`]),
    ...(isPlain && !text.includes(quote(value).slice(0, 40)) ? [`does not quote ${quote(value)}`] : []),
    ...(REASON.test(text) ? [] : ['does not say what is allowed']),
  ]
  return wanted.map((problem) => `the refusal ${problem}: ${text.slice(0, 300)}`)
}

/** Of the refusal of a value that does not go with another: it names one of the keys or values. */
export const conflictProblems = (output: Output, path: KeyPath, value: unknown): readonly string[] => {
  const text = textOf(output)
  const words = [
    ...path.filter((part) => typeof part === 'string'),
    String(value),
    readIp(String(value)) ?? '',
    quote(value).slice(0, 40),
  ]
  const isNamed = words.some((word) => word !== '' && text.includes(String(word)))
  return [
    ...(isNamed ? [] : [`the refusal names neither key nor value: ${text.slice(0, 300)}`]),
    ...(REASON.test(text) ? [] : [`the refusal does not say what is allowed: ${text.slice(0, 300)}`]),
  ]
}
