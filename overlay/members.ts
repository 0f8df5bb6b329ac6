/** The members of a JSON object, read one key at a time: strictly, and each with its path when it is refused. Keys match
 *  without regard to case and `null` means absent, as in Go (cni/fold.ts). */
import { DecodeError, quote } from '../addr/error.ts'
import { fold, type Shape } from '../cni/fold.ts'
import type { Json, JsonObject } from '../cni/plugin.ts'

export interface Members {
  /** JSON path of the object itself. */
  readonly path: string
  /** @throws DecodeError when it is no string */
  readonly text: (key: string) => string | undefined
  /** @throws DecodeError when it is no whole number from `least` to `most` */
  readonly whole: (key: string, least: number, most: number) => number | undefined
  /** @throws DecodeError when it is neither true nor false */
  readonly flag: (key: string) => boolean | undefined
  /** Whatever it is; undefined when it is `null`. */
  readonly any: (key: string) => Json | undefined
  /** The members of an object within. @throws DecodeError when it is no object */
  readonly inner: (key: string) => Members | undefined
}

/** The shape of an object whose values are not objects, from the spelling of its keys. */
export const shapeOf = (...names: readonly string[]): Shape => ({
  keys: Object.fromEntries(names.map((name) => [name.toLowerCase(), [name]])),
})

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const reader = (object: JsonObject, path: string): Members => {
  const any = (key: string): Json | undefined => (Object.hasOwn(object, key) ? (object[key] ?? undefined) : undefined)
  const read = <T extends Json>(key: string, allowed: string, is: (value: Json) => value is T): T | undefined => {
    const value = any(key)
    if (value === undefined || is(value)) return value
    throw new DecodeError(`${path}.${key}`, `${quote(value)} is not ${allowed}`)
  }
  return {
    path,
    any,
    text: (key) => read(key, 'a string', (value) => typeof value === 'string'),
    whole: (key, least, most) =>
      read(
        key,
        `a whole number from ${least} to ${most}`,
        (value): value is number => Number.isInteger(value) && Number(value) >= least && Number(value) <= most,
      ),
    flag: (key) => read(key, 'true or false', (value) => typeof value === 'boolean'),
    inner: (key) => {
      const value = read(key, 'an object', isObject)
      return value === undefined ? undefined : reader(value, `${path}.${key}`)
    },
  }
}

/** The members of `value`, keys spelled as in `shape`. @throws DecodeError when it is no object */
export const membersOf = (value: unknown, path: string, shape: Shape): Members => {
  if (!isObject(value)) throw new DecodeError(path, `${quote(value)} is not an object`)
  return reader(fold(value, shape) as JsonObject, path)
}

/** The JSON of `text`. @throws DecodeError with what the parser said */
export const parseJsonText = (text: string, path: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    const found = text.trim() === '' ? 'it is empty' : `${quote(text)} is not JSON (${(error as Error).message})`
    throw new DecodeError(path, found, { cause: error })
  }
}
