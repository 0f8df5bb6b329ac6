/** Values that a schema refuses, one for each place it says something about: found in the schema itself. */
import { readFileSync } from 'node:fs'

type Node = { readonly [key: string]: unknown }

/** A place as keys and list indexes. */
export interface WrongValue {
  readonly path: readonly string[]
  readonly value: unknown
}

const folder = `${import.meta.dirname}/../../conf/schemas`
const read = (file: string): Node => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as Node
const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

const resolve = (reference: string, file: string): { node: Node; file: string } => {
  const [name = '', pointer = ''] = reference.split('#')
  const target = name === '' ? file : name
  const node = pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((at, key) => (isNode(at) ? at[key] : undefined), read(target))
  if (!isNode(node)) throw new Error(`${reference} of ${file} leads nowhere`)
  return { node, file: target }
}

const OF_ANOTHER_TYPE: Readonly<Record<string, unknown>> = {
  string: 7,
  boolean: 'true',
  integer: '1',
  array: { '0': 'a' },
  object: ['a'],
}

/** Values that `node` itself refuses. */
const wrongFor = ({ type, enum: allowed, minimum, maximum, pattern }: Node): readonly unknown[] => [
  ...(typeof type === 'string' && type in OF_ANOTHER_TYPE ? [OF_ANOTHER_TYPE[type]] : []),
  ...(allowed === undefined ? [] : ['\u0000 none of these']),
  ...(typeof minimum === 'number' ? [minimum - 1, 0.5] : []),
  ...(typeof maximum === 'number' && maximum < 2 ** 53 ? [maximum + 1] : []),
  ...(pattern === undefined ? [] : ['../../etc/passwd', 'a\nb', 'x'.repeat(5000)]),
]

const below = (node: Node, file: string, path: readonly string[]): readonly WrongValue[] => {
  const { $ref, allOf, properties, items, additionalProperties } = node
  const target = typeof $ref === 'string' ? resolve($ref, file) : undefined
  const children: readonly [string, unknown][] = [
    ...(isNode(properties) ? Object.entries(properties) : []),
    ...(isNode(items) ? [['0', items] as [string, unknown]] : []),
    ...(isNode(additionalProperties) ? [['any', additionalProperties] as [string, unknown]] : []),
  ]
  return [
    ...(path.length === 0 ? [] : wrongFor(node).map((value) => ({ path, value }))),
    ...(target === undefined ? [] : below(target.node, target.file, path)),
    ...(Array.isArray(allOf) ? allOf.flatMap((part) => (isNode(part) ? below(part, file, path) : [])) : []),
    ...children.flatMap(([key, child]) => (isNode(child) ? below(child, file, [...path, key]) : [])),
  ]
}

/** Every wrong value for the configuration of `type`. `cniVersion` is left to the tests of versions. */
export const wrongValues = (type: string): readonly WrongValue[] =>
  below(read(`${type}.json`), `${type}.json`, []).filter(({ path }) => path[0] !== 'cniVersion')

/** `conf` with `value` at `path`. Lists and objects on the way are made, or kept where they are. */
export const withValue = (conf: unknown, path: readonly string[], value: unknown): unknown => {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (key === '0') return [withValue(Array.isArray(conf) ? conf[0] : undefined, rest, value)]
  const object = isNode(conf) ? conf : {}
  return { ...object, [key]: withValue(object[key], rest, value) }
}
