/** Which addresses are reserved, a bit each, in chunks: the cost of finding a free one is that of reading a chunk or two,
 *  however full the pool is. Pure. */
import { cidrOf } from '../../addr/cidr.ts'
import { type Family, ipOfNumber, widthOf } from '../../addr/ip.ts'
import type { NextFree } from './allocator.ts'

/** Addresses in a chunk, as a power of two: 4 KiB of bits. */
const CHUNK_BITS = 15n
export const CHUNK_BYTES = 1 << (Number(CHUNK_BITS) - 3)

const LAST_BIT = 8 * CHUNK_BYTES - 1

const PREFIX = 'used-'

/** Name of the file that holds the chunk of address `n`, such as `used-10.1.128.0_17`. */
export const chunkName = (n: bigint, family: Family): string => {
  const first = ipOfNumber((n >> CHUNK_BITS) << CHUNK_BITS, family)
  return `${PREFIX}${cidrOf(first, widthOf(family) - Number(CHUNK_BITS)).replace('/', '_')}`
}

export const isChunkName = (name: string): boolean => name.startsWith(PREFIX)

/** Bit of `n` within its chunk. */
export const bitOf = (n: bigint): number => Number(BigInt.asUintN(Number(CHUNK_BITS), n))
/** Number of the last address of the chunk of `n`. */
export const chunkEnd = (n: bigint): bigint => n | ((1n << CHUNK_BITS) - 1n)

export const setBit = (bits: Uint8Array, bit: number): void => {
  bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7))
}

export const clearBit = (bits: Uint8Array, bit: number): void => {
  bits[bit >> 3] = (bits[bit >> 3] ?? 0) & ~(1 << (bit & 7))
}

const isSet = (bits: Uint8Array, bit: number): boolean => ((bits[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0

/** The least clear bit from `from` to `to`, both inclusive; -1 when all are set. */
export const firstClear = (bits: Uint8Array, from: number, to: number): number => {
  let bit = from
  while (bit <= to) {
    if ((bit & 7) === 0 && bits[bit >> 3] === 0xff) bit += 8
    else if (isSet(bits, bit)) bit++
    else return bit
  }
  return -1
}

/** Chunks by name, in memory. */
export type Chunks = Map<string, Uint8Array>

/** The chunk of `n` in `chunks`, which has it from now on. */
const chunkIn = (chunks: Chunks, n: bigint, family: Family): Uint8Array => {
  const name = chunkName(n, family)
  const bits = chunks.get(name) ?? new Uint8Array(CHUNK_BYTES)
  chunks.set(name, bits)
  return bits
}

/** A function that marks addresses in `chunks` as reserved. Neighbours in a row cost least: one chunk is remembered. */
export const markerOf = (chunks: Chunks): ((n: bigint, family: Family) => void) => {
  let bits: Uint8Array | undefined
  let end: bigint | undefined
  return (n, family) => {
    if (bits === undefined || chunkEnd(n) !== end) bits = chunkIn(chunks, n, family)
    end = chunkEnd(n)
    setBit(bits, bitOf(n))
  }
}

/** A search of chunks that `load` gives; one that it does not know has nothing reserved. */
export const searchOf =
  (load: (name: string) => Uint8Array | undefined): NextFree =>
  (from, to, family) => {
    for (let n = from; n <= to; n = chunkEnd(n) + 1n) {
      const bits = load(chunkName(n, family))
      if (bits === undefined) return n
      const isLast = to <= chunkEnd(n)
      const bit = firstClear(bits, bitOf(n), isLast ? bitOf(to) : LAST_BIT)
      if (bit >= 0) return n + BigInt(bit - bitOf(n))
    }
    return undefined
  }
