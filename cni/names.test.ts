import { expect, test } from 'vitest'
import { containerIdProblem, ifNameProblem, requireContainerId, requireIfName } from './names.ts'

test.each(['a', '0', 'A-b_c.d', 'x'.repeat(200), '4f2a..', 'cnitool-77383ca0a0715733ca6f'])(
  'containerIdProblem() finds none with %s',
  (id) => expect(containerIdProblem(id)).toBeUndefined(),
)

test.each(['', '.', '..', '../x', '-a', '_a', 'a/b', 'a b', 'a\n', 'a\0b', 'é', 'x'.repeat(201)])(
  'containerIdProblem() finds one with %j',
  (id) => expect(containerIdProblem(id)).toMatch(/"/),
)

test.each(['eth0', 'a', 'x'.repeat(15), 'net1.100', 'é', '-', '...'])('ifNameProblem() finds none with %s', (name) =>
  expect(ifNameProblem(name)).toBeUndefined(),
)

test.each([
  '',
  '.',
  '..',
  'a/b',
  'a:b',
  'a b',
  'a\tb',
  'a\nb',
  'a\u00a0b',
  'a\u0085b',
  'eth%d',
  'x'.repeat(16),
  'é'.repeat(8),
])('ifNameProblem() finds one with %j', (name) => expect(ifNameProblem(name)).toMatch(/"/))

test('requireContainerId() and requireIfName() name the variable and the value', () => {
  expect(() => requireContainerId('../x')).toThrow('invalid CNI_CONTAINERID: "../x"')
  expect(() => requireIfName('a/b')).toThrow('invalid CNI_IFNAME: "a/b"')
  expect(() => requireIfName('a/b')).toThrow(expect.objectContaining({ code: 4 }))
})
