/** The demo on the screen: a line a step, with a spinner while it runs; plain lines when the output is no terminal. */

export interface Outcome {
  readonly text: string
  readonly holds: boolean
}

export interface Screen {
  /** Shows `title` while `work` runs, and its outcome when it is done. Returns what `work` returned. @throws what it throws */
  readonly step: <T>(title: string, work: () => Promise<T>, outcomeOf: (value: T) => Outcome) => Promise<T>
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
const WIDTH = 52

const seconds = (start: number): string => `${((performance.now() - start) / 1000).toFixed(1)} s`

const spin = (title: string, start: number): (() => void) => {
  let frame = 0
  const timer = setInterval(() => {
    frame = (frame + 1) % FRAMES.length
    process.stdout.write(`\r\x1b[2K${FRAMES[frame]} ${title.padEnd(WIDTH)} ${seconds(start)}`)
  }, FRAME_MS)
  return () => {
    clearInterval(timer)
    process.stdout.write('\r\x1b[2K')
  }
}

const line = (title: string, { text, holds }: Outcome): string =>
  `${holds ? '✓' : '✗'} ${title.padEnd(WIDTH)} ${text}\n`

export const openScreen = (): Screen => ({
  step: async (title, work, outcomeOf) => {
    const start = performance.now()
    const stop = process.stdout.isTTY ? spin(title, start) : () => undefined
    let outcome: Outcome = { text: seconds(start), holds: false }
    try {
      const value = await work()
      outcome = outcomeOf(value)
      return value
    } finally {
      stop()
      process.stdout.write(line(title, outcome))
    }
  },
})
