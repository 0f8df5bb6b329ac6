/** Where options come from, each as a layer of values by key: flags, `PODWIRE_*`, `FLANNELD_*`, the file. Text becomes a
 *  value here; whether a value is allowed, the schema says. */
import { readFileSync } from 'node:fs'
import { DecodeError, quote } from '../addr/error.ts'
import { OPTION_TABLE, type OptionSpec, type OptionValue, variableOf } from './option-table.ts'

/** One source. `nameOf` says where a key's value was given: `--iface`, `PODWIRE_IFACE`, `iface in /etc/podwire.json`. */
export interface OptionLayer {
  readonly nameOf: (key: string) => string
  readonly values: Readonly<Record<string, unknown>>
}

/** As Go's strconv.ParseBool, so that what flanneld was given still says the same. */
const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True']
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False']

const parseText = (spec: OptionSpec, text: string, where: string): OptionValue => {
  if (spec.type === 'string') return text
  if (spec.type === 'array') return text.split(/\s+/).filter((part) => part !== '')
  if (spec.type === 'integer') {
    if (/^-?\d{1,15}$/.test(text)) return Number(text)
    throw new DecodeError(where, `${quote(text)} is not a whole number`)
  }
  if (TRUE.includes(text)) return true
  if (FALSE.includes(text)) return false
  throw new DecodeError(where, `${quote(text)} is neither true nor false`)
}

/** What commander collected: text, a list of texts, or true for a flag without a value. By key. */
export type Flags = Readonly<Record<string, string | readonly string[] | true | undefined>>

/** `argv` with options that have one dash, as Go's programs take them too (`-iface=eth0`), given two. */
export const withTwoDashes = (argv: readonly string[]): readonly string[] =>
  argv.map((arg) => {
    const [, key] = /^-([a-z][\w-]+)(?:=.*)?$/s.exec(arg) ?? []
    return OPTION_TABLE.some((spec) => spec.key === key) ? `-${arg}` : arg
  })

/** @throws DecodeError naming the flag */
export const flagLayer = (flags: Flags): OptionLayer => {
  const nameOf = (key: string): string => `--${key}`
  const values = OPTION_TABLE.flatMap((spec): [string, unknown][] => {
    const given = flags[spec.key]
    if (given === undefined) return []
    return [[spec.key, typeof given === 'string' ? parseText(spec, given, nameOf(spec.key)) : given]]
  })
  return { nameOf, values: Object.fromEntries(values) }
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Variables that flannel reads under names of their own (pkg/backend/wireguard, pkg/subnet/kube). */
const OTHER_NAMES: Readonly<Record<string, string | undefined>> = {
  'wireguard-key-file': 'WIREGUARD_KEY_FILE',
  'kube-node-name': 'NODE_NAME',
}

/** A variable that is empty is not set, as for flannel. @throws DecodeError naming the variable */
export const environmentLayer = (prefix: 'PODWIRE' | 'FLANNELD', environment: Environment): OptionLayer => {
  const nameOf = (key: string): string =>
    (prefix === 'FLANNELD' ? OTHER_NAMES[key] : undefined) ?? variableOf(prefix, key)
  const values = OPTION_TABLE.flatMap((spec): [string, OptionValue][] => {
    const text = environment[nameOf(spec.key)] ?? ''
    return text === '' ? [] : [[spec.key, parseText(spec, text, nameOf(spec.key))]]
  })
  return { nameOf, values: Object.fromEntries(values) }
}

/** Variables that begin with `PODWIRE_` and are no option: most likely misspelt. */
export const unknownVariables = (environment: Environment): readonly string[] => {
  const known = new Set(['PODWIRE_CONFIG', ...OPTION_TABLE.map(({ key }) => variableOf('PODWIRE', key))])
  return Object.keys(environment).filter((name) => name.startsWith('PODWIRE_') && !known.has(name))
}

const parseObject = (text: string, path: string): Readonly<Record<string, unknown>> => {
  try {
    const json: unknown = JSON.parse(text)
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  } catch (error) {
    throw new DecodeError(path, `is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  throw new DecodeError(path, 'is not a JSON object of options')
}

/** @throws DecodeError for what is no JSON object, or has a key that is no option; Error (ENOENT ...) */
export const fileLayer = (path: string): OptionLayer => {
  const values = parseObject(readFileSync(path, 'utf8'), path)
  const unknown = Object.keys(values).find((key) => OPTION_TABLE.every((spec) => spec.key !== key))
  if (unknown !== undefined)
    throw new DecodeError(path, `${quote(unknown)} is no option; "podwire agent --help" lists them`)
  return { nameOf: (key) => `${key} in ${path}`, values }
}
