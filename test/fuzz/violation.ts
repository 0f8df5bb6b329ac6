/** What a fuzzer found. */
export interface Violation {
  /** Plugin, verb and place; by which violations are told apart. */
  readonly where: string
  readonly what: string
  /** stdin, or the environment, that shows it. */
  readonly input: string
}
