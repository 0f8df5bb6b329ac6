import { expect, test } from 'vitest'
import { openRefusals } from './refusals.ts'

const open = () => {
  const lines: object[] = []
  return { lines, ...openRefusals({ warn: (found: object) => lines.push(found) } as never) }
}

test('a refusal is said once, another reason again, and again after it was gone', () => {
  const { lines, tell } = open()
  const rejected = new Map([['a', 'no subnet']])
  tell(rejected)
  tell(rejected, ['a'])
  rejected.set('a', 'another')
  tell(rejected, ['a'])
  tell(new Map(), ['a'])
  tell(rejected, ['a', 'b'])
  expect(lines).toEqual([
    { key: 'a', why: 'no subnet' },
    { key: 'a', why: 'another' },
    { key: 'a', why: 'another' },
  ])
})

test('of a flood it is said how many there are', () => {
  const { lines, tell } = open()
  tell(new Map(Array.from({ length: 1000 }, (_, i) => [`${i}`, 'no subnet'])))
  expect([lines.length, lines.at(-1)]).toEqual([21, { count: 980 }])
})
