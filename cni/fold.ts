/** Keys as Go's encoding/json matches them: without regard to case, so that `HostPort` (containerd) and `hostPort`
 *  (podman) are one key; and `null` means absent. Which keys are known, and their spelling, comes from the schema. */
import type { Json, JsonObject } from './plugin.ts'

/** What a schema knows of the keys below a value: generated from `conf/schemas`. */
export interface Shape {
  /** By key in lower case: the spelling, and the shape of the value when it holds known keys itself. */
  readonly keys?: Readonly<Record<string, readonly [name: string, value?: Shape]>>
  /** Of each element of an array. */
  readonly items?: Shape
}

/** Go folds U+017F (long s) to s and U+212A (kelvin) to k; `toLowerCase` does the second alone. */
const lower = (key: string): string => key.toLowerCase().replaceAll('\u017f', 's')

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `value` with every known key in the schema's spelling and known keys that are `null` left out. Of keys that fold to
 *  one, the last wins, as in Go. */
export const fold = (value: Json, shape: Shape): Json => {
  const { keys, items } = shape
  if (Array.isArray(value)) return items === undefined ? value : value.map((item: Json) => fold(item, items))
  if (keys === undefined || !isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]): [string, Json][] => {
      const folded = lower(key)
      const known = Object.hasOwn(keys, folded) ? keys[folded] : undefined
      if (known === undefined) return [[key, inner]]
      if (inner === null) return []
      const [name, innerShape] = known
      return [[name, innerShape === undefined ? inner : fold(inner, innerShape)]]
    }),
  )
}
