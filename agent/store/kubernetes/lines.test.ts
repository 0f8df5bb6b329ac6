import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StoreError } from '../store.ts'
import { linesOf } from './lines.ts'

const pieces = async function* (texts: readonly string[]) {
  yield* texts
}

const read = async (texts: readonly string[]): Promise<readonly string[]> => {
  const lines: string[] = []
  for await (const line of linesOf(pieces(texts), () => undefined)) lines.push(line)
  return lines
}

test.for<[readonly string[], readonly string[]]>([
  [[], []],
  [['a\nb\n'], ['a', 'b']],
  [
    ['a', 'b\nc', 'd', '\n'],
    ['ab', 'cd'],
  ],
  [
    ['a\n', '\n\n', 'b\n'],
    ['a', 'b'],
  ],
  [['a\nb'], ['a']],
  [['', 'a', '', '\n', ''], ['a']],
])('linesOf(%j)', async ([texts, lines]) => {
  expect(await read(texts)).toEqual(lines)
})

test('linesOf() gives the same lines wherever the text is cut', async () => {
  const lines = fc.array(fc.string({ minLength: 1 }).filter((line) => !line.includes('\n')))
  await fc.assert(
    fc.asyncProperty(lines, fc.array(fc.nat(40)), async (wanted, cuts) => {
      let [rest, texts]: [string, string[]] = [wanted.map((line) => `${line}\n`).join(''), []]
      for (const cut of cuts) {
        texts = [...texts, rest.slice(0, cut)]
        rest = rest.slice(cut)
      }
      expect(await read([...texts, rest])).toEqual(wanted)
    }),
  )
})

test('linesOf() says that it hears, piece by piece', async () => {
  let heard = 0
  for await (const _ of linesOf(pieces(['a', 'b\nc\n', '']), () => (heard += 1)));
  expect(heard).toBe(3)
})

test('linesOf() gives up on a line without an end', async () => {
  const mebibyte = 'x'.repeat(2 ** 20)
  await expect(read(Array.from({ length: 33 }, () => mebibyte))).rejects.toThrow(StoreError)
  expect(await read([...Array.from({ length: 31 }, () => mebibyte), '\n'])).toHaveLength(1)
})
