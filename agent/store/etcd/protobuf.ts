/** Protocol Buffers, proto3: a message as a table of its fields. What etcd's API needs of it: integers of 64 bits, booleans,
 *  bytes, strings, messages and lists of messages. https://protobuf.dev/programming-guides/encoding/ */
import { DecodeError } from '../../../addr/error.ts'

/** A value on the wire: of a varint (64 bits, unsigned), or of what has a length. */
type Wire = bigint | Uint8Array

const VARINT = 0
const FIXED64 = 1
const LENGTH = 2
const FIXED32 = 5

/** A field is read as an `Out` and written from an `In`. */
export interface Field<Out, In = Out> {
  readonly number: number
  /** From its occurrences, none at all included. @throws DecodeError */
  readonly read: (wires: readonly Wire[]) => Out
  write(value: In): readonly Wire[]
}

export interface Message<Out, In> {
  /** Fields that are left out have proto3's default: 0, false, empty, absent. */
  readonly encode: (values: In) => Uint8Array
  /** Unknown fields are skipped. @throws DecodeError when the bytes are no such message */
  readonly decode: (bytes: Uint8Array) => Out
}

type Fields = Readonly<Record<string, Field<unknown, unknown>>>
type OutOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer Out, infer _> ? Out : never }
type InOf<F extends Fields> = { readonly [K in keyof F]?: F[K] extends Field<infer _, infer In> ? In : never }

const bad = (problem: string): DecodeError => new DecodeError('protobuf', problem)

const asBytes = (wire: Wire): Uint8Array => {
  if (typeof wire === 'bigint') throw bad('a number stands where bytes belong')
  return wire
}
const asNumber = (wire: Wire): bigint => {
  if (typeof wire !== 'bigint') throw bad('bytes stand where a number belongs')
  return wire
}

/** `int64`. */
export const int64 = (number: number): Field<bigint> => ({
  number,
  read: (wires) => BigInt.asIntN(64, asNumber(wires.at(-1) ?? 0n)),
  write: (value) => (value === 0n ? [] : [BigInt.asUintN(64, value)]),
})

export const bool = (number: number): Field<boolean> => ({
  number,
  read: (wires) => asNumber(wires.at(-1) ?? 0n) !== 0n,
  write: (value) => (value ? [1n] : []),
})

const NO_BYTES = new Uint8Array()
const toUtf8 = new TextEncoder()
const ofUtf8 = new TextDecoder('utf-8', { ignoreBOM: true })
/** `string`; also `bytes` that hold UTF-8. */
export const text = (number: number): Field<string> => ({
  number,
  read: (wires) => ofUtf8.decode(asBytes(wires.at(-1) ?? NO_BYTES)),
  write: (value) => (value === '' ? [] : [toUtf8.encode(value)]),
})

/** A message within. An empty one is there; undefined is not. */
export const one = <Out, In>(number: number, message: Message<Out, In>): Field<Out | undefined, In | undefined> => ({
  number,
  read: (wires) => {
    const last = wires.at(-1)
    return last === undefined ? undefined : message.decode(asBytes(last))
  },
  write: (value) => (value === undefined ? [] : [message.encode(value)]),
})

/** A list of messages. */
export const many = <Out, In>(number: number, message: Message<Out, In>): Field<readonly Out[], readonly In[]> => ({
  number,
  read: (wires) => wires.map((wire) => message.decode(asBytes(wire))),
  write: (values) => values.map(message.encode),
})

const pushVarint = (into: number[], value: bigint): void => {
  let rest = value
  for (; rest > 127n; rest >>= 7n) into.push(Number(rest & 127n) | 128)
  into.push(Number(rest))
}

const encodeField = ({ number, write }: Field<unknown, unknown>, value: unknown): readonly Uint8Array[] =>
  write(value).map((wire) => {
    const head: number[] = []
    const isNumber = typeof wire === 'bigint'
    pushVarint(head, (BigInt(number) << 3n) | BigInt(isNumber ? VARINT : LENGTH))
    pushVarint(head, isNumber ? wire : BigInt(wire.length))
    return isNumber ? Uint8Array.from(head) : Buffer.concat([Uint8Array.from(head), wire])
  })

interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

const MAX_VARINT = 10

const takeVarint = (cursor: Cursor): bigint => {
  let value = 0n
  for (let i = 0; i < MAX_VARINT; i++) {
    const byte = cursor.bytes[cursor.at++]
    if (byte === undefined) throw bad('it ends within a number')
    value |= BigInt(byte & 127) << BigInt(7 * i)
    if (byte < 128) return BigInt.asUintN(64, value)
  }
  throw bad('a number is longer than 10 bytes')
}

const takeBytes = (cursor: Cursor, length: number): Uint8Array => {
  const taken = cursor.bytes.subarray(cursor.at, cursor.at + length)
  if (taken.length < length) throw bad(`it ends ${length - taken.length} bytes before a field does`)
  cursor.at += length
  return taken
}

const takeWire = (cursor: Cursor, type: number): Wire => {
  if (type === VARINT) return takeVarint(cursor)
  if (type === LENGTH) return takeBytes(cursor, Number(takeVarint(cursor)))
  if (type === FIXED64) return takeBytes(cursor, 8)
  if (type === FIXED32) return takeBytes(cursor, 4)
  throw bad(`there is no wire type ${type}`)
}

const wiresOf = (bytes: Uint8Array): ReadonlyMap<number, readonly Wire[]> => {
  const cursor: Cursor = { bytes, at: 0 }
  const wires = new Map<number, Wire[]>()
  while (cursor.at < bytes.length) {
    const key = Number(takeVarint(cursor))
    const wire = takeWire(cursor, key & 7)
    const before = wires.get(key >>> 3)
    if (before === undefined) wires.set(key >>> 3, [wire])
    else before.push(wire)
  }
  return wires
}

const NO_WIRES: readonly Wire[] = []

export const message = <F extends Fields>(fields: F): Message<OutOf<F>, InOf<F>> => {
  const entries = Object.entries(fields)
  return {
    encode: (values) =>
      Buffer.concat(
        entries.flatMap(([name, field]) => {
          const value = values[name]
          return value === undefined ? [] : encodeField(field, value)
        }),
      ),
    decode: (bytes) => {
      const wires = wiresOf(bytes)
      return Object.fromEntries(
        entries.map(([name, { number, read }]) => [name, read(wires.get(number) ?? NO_WIRES)]),
      ) as OutOf<F>
    },
  }
}
