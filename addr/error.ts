/** Input that does not decode: wire text, a configuration key or bytes. `path` is where (a JSON path such as
 *  `$.ipam.ranges[0][0].subnet`, or the name of a field), `problem` says what was found and what is allowed. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly path: string
  readonly problem: string
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`${path}: ${problem}`, options)
    this.path = path
    this.problem = problem
  }
}

/** `value` as it may stand in a message: JSON, so that quotes, NUL and newlines are visible; cut at 120 characters. */
export const quote = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`
}
