/** Measuring two sides in turn: now this one first, now the other. */
import { writeSync } from 'node:fs'
import type { Side, Sides } from './bed.ts'
import type { Pair } from './statistics.ts'

/** Milliseconds before each run: what the kernel still does for the last one is not to count for the next. */
const PAUSE = 10

const pause = (): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE)
}

/** `text` on stderr, over what stood there on a terminal, else on a line of its own. */
const report = (text: string, last: boolean): void => {
  if (process.stderr.isTTY) writeSync(2, `\r\u001b[K${text}${last ? '\n' : ''}`)
  else if (last) writeSync(2, `${text}\n`)
}

export interface Turns {
  readonly title: string
  /** Rounds that count; one more goes before them, in which bridges, tables and indexes come to be. */
  readonly rounds: number
}

/** What `measure` returns for both sides, round by round. Its numbers belong to one run: milliseconds, or MiB. */
export const inTurn = <K extends string>(
  { title, rounds }: Turns,
  sides: Sides,
  measure: (side: Side, round: number) => Readonly<Record<K, number>>,
): Readonly<Record<K, readonly Pair[]>> => {
  const pairs: Partial<Record<K, Pair[]>> = {}
  for (let round = 0; round <= rounds; round++) {
    report(`${title}: ${round} of ${rounds}`, round === rounds)
    const order = round % 2 === 0 ? [sides.podwire, sides.reference] : [sides.reference, sides.podwire]
    const found = new Map(
      order.map((side) => {
        pause()
        return [side.name, measure(side, round)]
      }),
    )
    if (round > 0) collect(pairs, found)
  }
  return pairs as Record<K, readonly Pair[]>
}

const collect = <K extends string>(
  pairs: Partial<Record<K, Pair[]>>,
  found: ReadonlyMap<Side['name'], Readonly<Record<K, number>>>,
): void => {
  const [podwire, reference] = [found.get('podwire'), found.get('reference')]
  if (podwire === undefined || reference === undefined) return
  for (const key of Object.keys(podwire) as K[]) {
    const list = pairs[key] ?? []
    list.push({ podwire: podwire[key], reference: reference[key] })
    pairs[key] = list
  }
}
