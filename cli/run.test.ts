import { expect, test } from 'vitest'
import { containerIdOf, parseArgs } from './run.ts'

test("containerIdOf() is cnitool's: printf /run/netns/a | sha512sum | cut -c -20", () => {
  expect(containerIdOf('/run/netns/a')).toBe('cnitool-a145bc1ace582bff43bd')
})

test.each([
  ['', []],
  ['A=b', [['A', 'b']]],
  [
    'IgnoreUnknown=1;K8S_POD_NAME=web',
    [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAME', 'web'],
    ],
  ],
])('parseArgs(%j)', (text, pairs) => {
  expect(parseArgs(text)).toEqual(pairs)
})

test.each(['A', 'A=', '=b', 'A=b=c', 'A=b;', ';'])('parseArgs() refuses %j', (text) => {
  expect(() => parseArgs(text)).toThrow('CNI_ARGS has')
})
