/** A set of entries as words, each once, with a number for each: open addressing over typed arrays, since the same as a Map
 *  of texts makes 8 MiB of garbage for 15,000 entries each time. */
import type { Words } from './words.ts'

export interface WordTable {
  /** False when an equal entry is there already. */
  readonly add: (words: Words, number: number) => boolean
  /** The number of the entry; -1 when there is none. */
  readonly find: (words: Words) => number
}

const hashOf = ({ values, length }: Words): number => {
  let hash = length
  for (let i = 0; i < length; i++) {
    hash = Math.imul(hash ^ (values[i] ?? 0), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}

/** Slots: a power of two, at most half of them used. */
const slotsFor = (capacity: number): number => {
  let slots = 16
  while (slots < 2 * capacity) slots *= 2
  return slots
}

const MEAN_LENGTH = 12

/** @param capacity how many entries there will be at most */
export const makeWordTable = (capacity: number): WordTable => {
  const slots = new Int32Array(slotsFor(capacity)).fill(-1)
  const numbers = new Int32Array(capacity)
  const starts = new Int32Array(capacity + 1)
  let pool = new Uint32Array(capacity * MEAN_LENGTH)
  let count = 0

  const isAt = (entry: number, { values, length }: Words): boolean => {
    const start = starts[entry] ?? 0
    if ((starts[entry + 1] ?? 0) - start !== length) return false
    for (let i = 0; i < length; i++) if (pool[start + i] !== values[i]) return false
    return true
  }
  /** The slot that has the entry, or the free one where it belongs. */
  const slotOf = (words: Words): number => {
    const mask = slots.length - 1
    let slot = hashOf(words) & mask
    for (let entry = slots[slot] ?? -1; entry >= 0 && !isAt(entry, words); entry = slots[slot] ?? -1)
      slot = (slot + 1) & mask
    return slot
  }
  const store = ({ values, length }: Words): void => {
    const start = starts[count] ?? 0
    if (start + length > pool.length) {
      const larger = new Uint32Array(2 * (start + length))
      larger.set(pool)
      pool = larger
    }
    for (let i = 0; i < length; i++) pool[start + i] = values[i] ?? 0
    starts[count + 1] = start + length
  }
  const add = (words: Words, number: number): boolean => {
    const slot = slotOf(words)
    if ((slots[slot] ?? -1) >= 0) return false
    store(words)
    numbers[count] = number
    slots[slot] = count
    count += 1
    return true
  }
  const find = (words: Words): number => {
    const entry = slots[slotOf(words)] ?? -1
    return entry < 0 ? -1 : (numbers[entry] ?? -1)
  }
  return { add, find }
}
