/** host-local in an empty pool and in one with 60,000 reservations. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { add, del, hostLocal } from './attachment.ts'
import { makePods, type Side, type Sides } from './bed.ts'
import type { Row } from './row.ts'
import { median } from './statistics.ts'
import { inTurn } from './turns.ts'

const RESERVED = 60_000
const ROUNDS = 9
const SUBNET = '10.0.0.0/8'
const REACH = 1.2

const addressOf = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`

/** Reservations in the format that both read: a file for each address, with container and interface in it. */
const fill = (side: Side, store: string, count: number): void => {
  const folder = `${side.folder}/${store}/bench`
  mkdirSync(folder, { recursive: true })
  for (let i = 2; i < count + 2; i++) writeFileSync(`${folder}/${addressOf(i)}`, `live-${i}\r\neth0`)
  if (count > 0) writeFileSync(`${folder}/last_reserved_ip.0`, addressOf(count + 1))
}

const timeOf = (side: Side, pod: string, store: string): number => {
  const attachment = { side, pod, plugins: [{ type: 'host-local', ipam: hostLocal(side, SUBNET, store) }] }
  const run = add(attachment)
  del(attachment, run)
  return run.ms
}

/** How much longer ADD takes in the full pool than in the empty one, for either side. */
export const poolRow = (sides: Sides): Row => {
  const measure = `host-local ADD with ${RESERVED} reservations / with none`
  for (const side of [sides.podwire, sides.reference]) fill(side, 'full', RESERVED)
  const [pod = ''] = makePods(1)
  const { full, empty } = inTurn({ title: measure, rounds: ROUNDS }, sides, (side) => ({
    full: timeOf(side, pod, 'full'),
    empty: timeOf(side, pod, 'empty'),
  }))
  const factor = (name: Side['name']): number =>
    median(full.map((pair, i) => pair[name] / (empty[i]?.[name] ?? Number.NaN)))
  const [podwire, reference] = [factor('podwire'), factor('reference')]
  return { ...rounded(podwire, reference), measure, reach: REACH, least: false, holds: podwire <= REACH }
}

/** The measure is a quotient itself: podwire's own is what the mark is on. */
const rounded = (podwire: number, reference: number) => {
  const own = Number(podwire.toPrecision(4))
  return { podwire: own, reference: Number(reference.toPrecision(4)), ratio: own }
}
