/** What the stories of the demo are told with: steps on the screen, and the rows of the table at the end. */
import { openScreen } from './screen.ts'

export interface Row {
  readonly what: string
  readonly measured: string
  readonly expected: string
  readonly holds: boolean
}

export type Measured = Pick<Row, 'measured' | 'holds'>

const screen = openScreen()

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`

/** A step that makes something, without which the rest cannot be shown. */
export const make = <T>(title: string, work: () => Promise<T>, tell: (value: T) => string): Promise<T> =>
  screen.step(title, work, (value) => ({ text: tell(value), holds: true }))

/** The last line of what went wrong: what the program that failed said. */
const failed = (error: unknown): Measured => {
  const text = error instanceof Error ? error.message : String(error)
  return { measured: text.trim().split('\n').at(-1) ?? '', holds: false }
}

/** A step that measures something; its row holds or not, and the story goes on. */
export const measure = async (what: string, expected: string, work: () => Promise<Measured>): Promise<Row> => {
  const measured = await screen.step(
    what,
    () => work().catch(failed),
    ({ measured, holds }) => ({ text: measured, holds }),
  )
  return { what, expected, ...measured }
}
