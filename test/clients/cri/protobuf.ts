/** Protocol Buffers (proto3), the wire format: messages as objects, described by a table of fields. Only what a message
 *  of `messages.ts` needs: strings, integers, booleans, messages, repetitions and maps of strings.
 *  protobuf.dev/programming-guides/encoding */

const VARINT = 0
const LENGTH = 2
/** Wire types of fixed size, which no field here has but an unknown one may. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

/** One field as it came: an integer, or bytes. */
type Raw = bigint | Uint8Array

export interface Field<T> {
  readonly number: number
  /** Value of the field from all its occurrences, in order; the zero of its type when there are none. */
  read(occurrences: readonly Raw[]): T
  /** What is written for `value`, one element an occurrence. */
  write(value: T): readonly Raw[]
}

type Fields = Readonly<Record<string, Field<unknown>>>
export type Value<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never }

export interface Message<T> {
  readonly encode: (value: Partial<T>) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
}

const varint = (value: bigint): readonly number[] => {
  const low = Number(value & 0x7fn)
  const rest = value >> 7n
  return rest === 0n ? [low] : [low | 0x80, ...varint(rest)]
}

/** The integer at `at` and where the next byte is. */
const readVarint = (bytes: Uint8Array, at: number): readonly [value: bigint, next: number] => {
  let value = 0n
  for (let i = at, shift = 0n; i < bytes.length; i++, shift += 7n) {
    const byte = bytes[i] ?? 0
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [value, i + 1]
  }
  throw new Error(`a varint at ${at} runs past the end of ${bytes.length} bytes`)
}

const encodeOccurrence = (number: number, raw: Raw): Uint8Array => {
  const isBytes = raw instanceof Uint8Array
  const tag = varint(BigInt((number << 3) | (isBytes ? LENGTH : VARINT)))
  if (!isBytes) return Uint8Array.from([...tag, ...varint(BigInt.asUintN(64, raw))])
  return Buffer.concat([Uint8Array.from([...tag, ...varint(BigInt(raw.length))]), raw])
}

const occurrencesIn = (bytes: Uint8Array): ReadonlyMap<number, readonly Raw[]> => {
  const found = new Map<number, readonly Raw[]>()
  for (let at = 0; at < bytes.length; ) {
    const [tag, start] = readVarint(bytes, at)
    const [number, wire] = [Number(tag >> 3n), Number(tag & 7n)]
    const fixed = FIXED[wire]
    const [value, next] = fixed === undefined ? readVarint(bytes, start) : [0n, start + fixed]
    const end = wire === LENGTH ? next + Number(value) : next
    const raw = wire === VARINT ? value : bytes.subarray(next, end)
    found.set(number, [...(found.get(number) ?? []), raw])
    at = end
  }
  return found
}

const utf8 = (raw: Raw): string => (raw instanceof Uint8Array ? Buffer.from(raw).toString('utf8') : '')
const integer = (raw: Raw): number => (raw instanceof Uint8Array ? 0 : Number(BigInt.asIntN(64, raw)))
const bytesOf = (raw: Raw): Uint8Array => (raw instanceof Uint8Array ? raw : new Uint8Array())

export const text = (number: number): Field<string> => ({
  number,
  read: (all) => all.map(utf8).at(-1) ?? '',
  write: (value) => [Buffer.from(value)],
})

export const texts = (number: number): Field<readonly string[]> => ({
  number,
  read: (all) => all.map(utf8),
  write: (values) => values.map((value) => Buffer.from(value)),
})

/** Signed or unsigned, of any width; enums too. */
export const int = (number: number): Field<number> => ({
  number,
  read: (all) => all.map(integer).at(-1) ?? 0,
  write: (value) => [BigInt(value)],
})

export const flag = (number: number): Field<boolean> => ({
  number,
  read: (all) => all.map(integer).at(-1) === 1,
  write: (value) => [value ? 1n : 0n],
})

export const one = <T>(number: number, message: Message<T>): Field<Partial<T>> => ({
  number,
  read: (all) => message.decode(bytesOf(all.at(-1) ?? new Uint8Array())),
  write: (value) => [message.encode(value)],
})

export const many = <T>(number: number, message: Message<T>): Field<readonly Partial<T>[]> => ({
  number,
  read: (all) => all.map((raw) => message.decode(bytesOf(raw))),
  write: (values) => values.map((value) => message.encode(value)),
})

/** The message with these fields. Unknown fields are skipped; absent ones read as zero. */
export const message = <F extends Fields>(fields: F): Message<Value<F>> => ({
  encode: (value) => {
    const given = Object.entries(fields).filter(([name]) => value[name] !== undefined)
    const parts = given.flatMap(([name, field]) =>
      field.write(value[name]).map((raw) => encodeOccurrence(field.number, raw)),
    )
    return Buffer.concat(parts)
  },
  decode: (bytes) => {
    const found = occurrencesIn(bytes)
    const read = ([name, field]: [string, Field<unknown>]) => [name, field.read(found.get(field.number) ?? [])]
    return Object.fromEntries(Object.entries(fields).map(read)) as Value<F>
  },
})

const ENTRY = message({ key: text(1), value: text(2) })

/** A `map<string, string>`. */
export const map = (number: number): Field<Readonly<Record<string, string>>> => {
  const entries = many(number, ENTRY)
  return {
    number,
    read: (all) => Object.fromEntries(entries.read(all).map(({ key = '', value = '' }) => [key, value])),
    write: (value) => entries.write(Object.entries(value).map(([key, content]) => ({ key, value: content }))),
  }
}
