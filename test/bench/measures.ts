/** What `npm run bench -- NAME` may name. */
import type { Sides } from './bed.ts'
import { podRows } from './pod.ts'
import type { Row } from './row.ts'

export const MEASURES: Readonly<Record<string, (sides: Sides) => Iterable<Row>>> = { pod: podRows }
