import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseArgs } from './args.ts'
import { CniError } from './error.ts'

const kubelet = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=5e'

test('parseArgs() reads what kubelet sends', () => {
  expect(parseArgs(kubelet, ['MAC'])).toEqual({
    IgnoreUnknown: '1',
    K8S_POD_NAMESPACE: 'default',
    K8S_POD_NAME: 'web-0',
    K8S_POD_UID: '5e',
  })
})

test('parseArgs() of nothing is nothing', () => expect(parseArgs('', ['MAC'])).toEqual({}))

test('parseArgs() takes the last of a key given twice', () =>
  expect(parseArgs('MAC=a;MAC=b', ['MAC'])).toEqual({ MAC: 'b' }))

test('parseArgs() keeps an empty value', () => expect(parseArgs('IP=', ['IP'])).toEqual({ IP: '' }))

test.each(['1', 'true', 'True', 'TRUE'])('parseArgs() tolerates unknown keys with IgnoreUnknown=%s', (value) =>
  expect(parseArgs(`X=1;IgnoreUnknown=${value}`, [])).toHaveProperty('X', '1'),
)

test('parseArgs() of a plugin that reads none minds no key', () =>
  expect(parseArgs('X=1', undefined)).toEqual({ X: '1' }))

test.each([
  ['X=1', 'unknown "X"; known: MAC'],
  ['X=1;IgnoreUnknown=0', 'unknown "X"'],
  ['X=1;IgnoreUnknown=false;Y=2', 'unknown "X", "Y"'],
  ['mac=1', 'unknown "mac"'],
  ['IgnoreUnknown=maybe', 'IgnoreUnknown="maybe"'],
  ['MAC', '"MAC" is not KEY=VALUE'],
  ['MAC=a=b', '"MAC=a=b" is not KEY=VALUE'],
  ['MAC=a;', '"" is not KEY=VALUE'],
  ['=a', '"=a" is not KEY=VALUE'],
])('parseArgs() refuses %j: %s', (text, problem) =>
  expect(() => parseArgs(text, ['MAC'])).toThrow(
    expect.objectContaining({ code: 4, message: expect.stringContaining(problem) }),
  ),
)

test('parseArgs() of any text returns strings or throws code 4 naming CNI_ARGS', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z_=;01]*$/), fc.constant('__proto__=x;constructor=y'))
  fc.assert(
    fc.property(text, fc.option(fc.array(fc.string()), { nil: undefined }), (args, known) => {
      try {
        expect(Object.values(parseArgs(args, known)).every((value) => typeof value === 'string')).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(CniError)
        expect(error).toMatchObject({ code: 4, message: expect.stringContaining('CNI_ARGS') })
      }
    }),
    { numRuns: 200 },
  )
})
