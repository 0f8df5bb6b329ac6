import { expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import { CniError } from './error.ts'
import { runAll } from './steps.ts'

const failing = (error: unknown) => (): void => {
  throw error
}

test('runAll() runs every step, also after one failed', () => {
  const done: number[] = []
  expect(() =>
    runAll(
      () => done.push(1),
      failing(new Error('x')),
      () => done.push(2),
    ),
  ).toThrow()
  expect(done).toEqual([1, 2])
})

test('runAll() throws the one failure as it is', () => {
  const error = new CniError(11, 'busy')
  expect(() => runAll(failing(error), () => undefined)).toThrow(error)
})

test('runAll() reports all failures, with the code of the first', () => {
  const act = (): void => runAll(failing(new CniError(11, 'busy', 'later')), failing(new DecodeError('$.a', 'wrong')))
  expect(act).toThrow(
    expect.objectContaining({ code: 11, message: 'busy; $.a: wrong', details: 'busy: later\n$.a: wrong' }),
  )
})

test('runAll() without a failure returns', () => expect(runAll(() => undefined)).toBeUndefined())
