import { expect, test } from 'vitest'
import { CniError } from '../cni/error.ts'
import { count, megabytes, renderError, renderTable } from './screen.ts'

test('renderTable() aligns columns and leaves no blanks at the end of lines', () => {
  expect(
    renderTable(
      ['A', 'LONG'],
      [
        ['wide', 'x'],
        ['y', ''],
      ],
    ),
  ).toBe('A     LONG\nwide  x\ny\n')
})

test('renderTable() of no rows is nothing', () => {
  expect(renderTable(['A'], [])).toBe('')
})

test.each([
  [
    new CniError(7, 'no network "x"', 'configured: a\nand b'),
    'podwire: no network "x" (code 7)\n  configured: a\n  and b\n',
  ],
  [new CniError(0, 'no'), 'podwire: no\n'],
])('renderError() says what was found, then what to do: %s', (error, text) => {
  expect(renderError(error)).toBe(text)
})

test('count() and megabytes()', () => {
  expect([count(0, 'pod'), count(1, 'pod'), count(2, 'pod'), megabytes(111_900_000)]).toEqual([
    '0 pods',
    '1 pod',
    '2 pods',
    '111.9 MB',
  ])
})
