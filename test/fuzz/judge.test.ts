/** The judge itself: that it would notice. */
import { expect, test } from 'vitest'
import { conflictProblems, protocolProblems, refusalProblems } from './judge.ts'

const failed = (error: object, status = 1) => ({ status, stdout: JSON.stringify(error), stderr: '' })

test.each([
  ['no JSON', { status: 1, stdout: 'oops', stderr: '' }],
  ['an untyped code', failed({ code: 999, msg: 'x' })],
  ['a defect', failed({ code: 104, msg: 'x' })],
  ['no message', failed({ code: 7, msg: '' })],
  ['details of another type', failed({ code: 7, msg: 'x', details: 5 })],
  ['an unknown key', failed({ code: 7, msg: 'x', hint: 'y' })],
  ['a NUL', failed({ code: 7, msg: 'a\0b' })],
  ['a message without end', failed({ code: 7, msg: 'x'.repeat(5000) })],
  ['words instead of a result', { status: 0, stdout: 'ok', stderr: '' }],
])('protocolProblems() notices %s', (_what, output) => expect(protocolProblems(output)).toHaveLength(1))

test('protocolProblems() has nothing against a typed error, a result, and silence', () => {
  const fine = [
    failed({ cniVersion: '1.0.0', code: 7, msg: 'x', details: '' }),
    { status: 0, stdout: '{}', stderr: '' },
  ]
  expect([...fine, { status: 0, stdout: '', stderr: '' }].flatMap(protocolProblems)).toEqual([])
})

test('refusalProblems() wants the key, the value and the reason', () => {
  const path = ['ipam', 'ranges', 0, 'subnet']
  const of = (msg: string): number => refusalProblems(failed({ code: 7, msg }), path, 'x y').length
  expect(of('$.ipam.ranges[0].subnet: "x y" is not a prefix')).toBe(0)
  expect(of('$.ipam.ranges[0]: "x y" is not a prefix')).toBe(1)
  expect(of('$.ipam.ranges[0].subnet is not a prefix')).toBe(1)
  expect(of('$.ipam.ranges[0].subnet: "x y"')).toBe(1)
  expect(of('wrong')).toBe(3)
})

test('conflictProblems() wants one of the keys or the value, and the reason', () => {
  const of = (msg: string): number => conflictProblems(failed({ code: 7, msg }), ['ipMasq'], 17).length
  expect(of('"ipMasq" needs an ipam')).toBe(0)
  expect(of('17 is not possible here')).toBe(0)
  expect(of('it is not possible here')).toBe(1)
  expect(of('no')).toBe(2)
})
