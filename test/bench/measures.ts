/** What `npm run bench -- NAME` may name. */
import { makeSides } from './bed.ts'
import { overlayRows } from './overlay.ts'
import { podRows } from './pod.ts'
import type { Row } from './row.ts'

export const MEASURES: Readonly<Record<string, () => Iterable<Row>>> = {
  pod: () => podRows(makeSides()),
  overlay: overlayRows,
}
