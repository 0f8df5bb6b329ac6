/** When passes run: what changes for single peers at the next turn of the event loop, all that came until then at once; the
 *  whole soon after the kernel said that something changed, and at intervals. */
import { openPace } from './pace.ts'

export interface Schedule {
  /** What changed for peers is to be brought to the kernel. */
  readonly flushSoon: () => void
  /** A pass over the whole: at once, or as far apart as the pace wants. */
  readonly passNow: () => void
  readonly passSoon: () => void
  /** In so many ms, unless there is one before. */
  readonly passIn: (ms: number) => void
  readonly stop: () => void
}

export const openSchedule = (work: { readonly pass: () => void; readonly flush: () => void }): Schedule => {
  const pace = openPace()
  let next: { readonly at: number; readonly cancel: () => void } | undefined
  let flushing: NodeJS.Immediate | undefined
  let isStopped = false

  const pass = (): void => {
    next?.cancel()
    next = undefined
    if (isStopped) return
    const started = performance.now()
    work.pass()
    pace.ran(performance.now(), performance.now() - started)
  }
  const passAt = (at: number): void => {
    if (isStopped || (next !== undefined && next.at <= at)) return
    next?.cancel()
    const timer = setTimeout(pass, Math.max(0, at - performance.now()))
    next = { at, cancel: () => clearTimeout(timer) }
  }
  const flush = (): void => {
    flushing = undefined
    if (!isStopped) work.flush()
  }
  return {
    flushSoon: () => {
      flushing ??= setImmediate(flush)
    },
    passNow: () => passAt(performance.now()),
    passSoon: () => passAt(pace.due(performance.now())),
    passIn: (ms) => passAt(performance.now() + ms),
    stop: () => {
      isStopped = true
      next?.cancel()
      clearImmediate(flushing)
    },
  }
}
