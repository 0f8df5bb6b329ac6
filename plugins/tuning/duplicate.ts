/** Keys that occur twice in one object of a JSON text. A parser keeps the last one and says nothing. RFC 8259 §4. */

interface Frame {
  readonly path: readonly string[]
  /** Of an object: its keys so far, as they are compared; undefined: an array. */
  readonly seen: Set<string> | undefined
  /** The member that the next value belongs to; undefined while a key is expected. */
  key: string | undefined
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/g

/** `path.key` of every key that repeats within one object at a path that `watch` accepts. Keys above that object are in
 *  lower case, as they are matched without regard to case. `json` must be valid. */
export const repeatedKeys = (json: string, watch: (path: string) => boolean): string[] => {
  const repeated: string[] = []
  const stack: Frame[] = []
  for (const [token] of json.matchAll(TOKEN)) {
    const top = stack.at(-1)
    if (token === '{' || token === '[') {
      const path = top === undefined ? [] : [...top.path, (top.key ?? '').toLowerCase()]
      stack.push({ path, seen: token === '{' ? new Set() : undefined, key: undefined })
    } else if (token === '}' || token === ']') stack.pop()
    else if (top?.seen === undefined) continue
    else if (token === ',') top.key = undefined
    else if (top.key === undefined) {
      top.key = JSON.parse(token) as string
      const path = top.path.join('.')
      if (watch(path) && top.seen.has(top.key)) repeated.push(`${path}.${top.key}`)
      top.seen.add(top.key)
    }
  }
  return repeated
}
