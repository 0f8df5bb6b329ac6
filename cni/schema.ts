/** A JSON Schema of `conf/schemas` as the code generated from it: which keys exist, whether values hold, and the first
 *  failure in an operator's words. */
import { DecodeError, quote } from '../addr/error.ts'
import { fold, type Shape } from './fold.ts'
import type { Json, JsonObject } from './plugin.ts'

/** What a generated validator reports (ajv's error object, as much of it as is used). */
export interface SchemaError {
  readonly instancePath: string
  readonly keyword: string
  readonly params: Readonly<Record<string, unknown>>
}

/** ajv's shape: `errors` holds the failures of the last call. */
export interface Validate {
  (value: unknown): boolean
  errors?: readonly SchemaError[] | null
}

/** One module of `conf/generated`. */
export interface Schema {
  readonly shape: Shape
  /** The keys of CNI_ARGS that the plugin reads; undefined when it reads none. */
  readonly args: readonly string[] | undefined
  /** Each pattern of the schema in words. */
  readonly words: Readonly<Record<string, string>>
  readonly validate: Validate
}

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/
const INDEX = /^\d+$/

/** The segments of a JSON pointer (RFC 6901 §4). */
const segmentsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))

const pathOf = (segments: readonly string[]): string =>
  segments.reduce((path, segment) => {
    if (INDEX.test(segment)) return `${path}[${segment}]`
    return IDENTIFIER.test(segment) ? `${path}.${segment}` : `${path}[${quote(segment)}]`
  }, '$')

const memberOf = (value: unknown, segment: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[segment] : undefined

const listOf = (values: unknown): string => (Array.isArray(values) ? values.map(quote).join(', ') : quote(values))

/** What the keyword of `error` allows, to follow "VALUE is not". */
const allowedBy = ({ keyword, params }: SchemaError, words: Schema['words']): string => {
  switch (keyword) {
    case 'type':
      return `of type ${String(params.type)}`
    case 'enum':
      return `one of ${listOf(params.allowedValues)}`
    case 'minimum':
      return `at least ${String(params.limit)}`
    case 'maximum':
      return `at most ${String(params.limit)}`
    case 'pattern':
      return words[String(params.pattern)] ?? `text that matches ${String(params.pattern)}`
    default:
      return `allowed here (${keyword} ${quote(params)})`
  }
}

const failureOf = (error: SchemaError, value: unknown, words: Schema['words']): DecodeError => {
  const segments = segmentsOf(error.instancePath)
  const { missingProperty } = error.params
  if (typeof missingProperty === 'string')
    return new DecodeError(pathOf([...segments, missingProperty]), 'missing, but required')
  return new DecodeError(
    pathOf(segments),
    `${quote(segments.reduce(memberOf, value))} is not ${allowedBy(error, words)}`,
  )
}

/** `json` with its keys folded to the schema's spelling. */
export const foldBy = (schema: Schema, json: JsonObject): JsonObject => fold(json as Json, schema.shape) as JsonObject

/** Holds `conf` (folded) to the schema. @throws DecodeError of the first failure */
export const requireSchema = ({ validate, words }: Schema, conf: JsonObject): void => {
  if (validate(conf)) return
  const [first] = validate.errors ?? []
  throw first === undefined ? new DecodeError('$', 'does not hold to the schema') : failureOf(first, conf, words)
}
