/** A limit of time that what it limits can push out: aborts when it is reached, or when the caller aborts. */

export interface Limit {
  readonly signal: AbortSignal
  /** From now on, `ms` more. */
  readonly extend: (ms: number) => void
  /** In words, once it is reached. */
  readonly exceeded: () => string | undefined
  /** Ends it without effect. */
  readonly close: () => void
}

export const openLimit = (parent: AbortSignal, first: number): Limit => {
  const controller = new AbortController()
  let words: string | undefined
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => controller.abort(parent.reason)
  const extend = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      words = `nothing was heard for ${ms / 1000} s`
      controller.abort(new Error(words))
    }, ms)
  }
  if (parent.aborted) stop()
  else parent.addEventListener('abort', stop, { once: true })
  extend(first)
  return {
    signal: controller.signal,
    extend,
    exceeded: () => words,
    close: () => {
      clearTimeout(timer)
      parent.removeEventListener('abort', stop)
    },
  }
}
