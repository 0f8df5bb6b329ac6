/** Places in a JSON value. */
import type { Json } from '../conformance/version.ts'

/** Keys and indexes from the root. */
export type KeyPath = readonly (string | number)[]

const isContainer = (value: unknown): value is Json | readonly unknown[] => typeof value === 'object' && value !== null

/** Every place below the root, containers before what they hold. */
export const pathsIn = (value: unknown, at: KeyPath = []): readonly KeyPath[] => {
  if (!isContainer(value)) return []
  const keys: readonly (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value)
  return keys.flatMap((key): KeyPath[] => {
    const path = [...at, key]
    return [path, ...pathsIn((value as Json)[key], path)]
  })
}

/** `value` with `part` at `path`; undefined takes the place out. */
export const withAt = (value: unknown, [key, ...rest]: KeyPath, part: unknown): unknown => {
  if (key === undefined) return part
  const inner = withAt((value as Json)[key], rest, part)
  if (Array.isArray(value))
    return inner === undefined && rest.length === 0 ? value.toSpliced(Number(key), 1) : value.with(Number(key), inner)
  const { [key]: _old, ...others } = value as Json
  return inner === undefined ? others : { ...(value as Json), [key]: inner }
}

/** Indexes left out: the place in a schema. */
export const schemaPath = (path: KeyPath): string => path.map((key) => (typeof key === 'number' ? '*' : key)).join('.')
