/** Text that arrives in pieces, as lines. */
import { StoreError } from '../store.ts'

/** In characters: etcd holds no object of more than 1.5 MiB (`--max-request-bytes`), so what is longer is no line of a watch. */
const LONGEST = 32 * 2 ** 20

/** The lines of `pieces`, without their line feeds and without empty ones; the last counts only when a line feed ends it.
 *  `heard` is called for every piece. @throws StoreError for a line without an end */
export async function* linesOf(pieces: AsyncIterable<string>, heard: () => void): AsyncGenerator<string> {
  let rest: string[] = []
  let length = 0
  for await (const piece of pieces) {
    heard()
    const [head = '', ...others] = piece.split('\n')
    rest.push(head)
    length += head.length
    if (length > LONGEST) throw new StoreError(`the stream has no line feed in ${LONGEST} characters`)
    const last = others.pop()
    if (last === undefined) continue
    for (const line of [rest.join(''), ...others]) if (line !== '') yield line
    rest = [last]
    length = last.length
  }
}
