import { expect, test } from 'vitest'
import { holderIn, isAmong, keyOf, oldKeyOf, renderHolder } from './reservation.ts'

const id = { containerID: 'c1', ifName: 'eth0' }

test('keyOf() is what upstream writes', () => {
  expect(keyOf(id)).toBe('c1\r\neth0')
  expect(oldKeyOf(id)).toBe('c1')
})

test('holderIn() reads both formats', () => {
  expect(renderHolder(holderIn(keyOf(id)))).toBe('interface eth0 of container c1')
  expect(renderHolder(holderIn(oldKeyOf(id)))).toBe('container c1')
})

test('isAmong() holds for a valid interface, and in the old format for any of a valid container', () => {
  const isValid = isAmong([id, { containerID: 'c2', ifName: 'net1' }])
  expect(['c1\r\neth0', 'c2\r\nnet1', 'c1', 'c2'].map(isValid)).toEqual([true, true, true, true])
  expect(['c1\r\nnet1', 'c2\r\neth0', 'c3', 'c3\r\neth0', ''].map(isValid)).toEqual(Array(5).fill(false))
})
