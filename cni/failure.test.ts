import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { DecodeError } from '../addr/error.ts'
import { NetlinkError } from '../netlink/error.ts'
import { CniError } from './error.ts'
import { failureOf, renderFailure } from './failure.ts'

const thrownBy = (act: () => unknown): unknown => {
  try {
    return act()
  } catch (error) {
    return error
  }
}

test.each<[string, unknown, object]>([
  ['a CniError', new CniError(11, 'busy', 'later'), { code: 11, message: 'busy', details: 'later' }],
  [
    'a DecodeError',
    new DecodeError('$.mtu', '-1 is not at least 0'),
    { code: 7, message: '$.mtu: -1 is not at least 0' },
  ],
  [
    'what the kernel refused',
    new NetlinkError('ip link add x', 22, 'Unknown device type'),
    { code: 102, message: 'ip link add x: EINVAL, invalid argument', details: 'Unknown device type' },
  ],
  ['what the kernel puts off', new NetlinkError('nft', 11), { code: 11 }],
  [
    'what the file system refused',
    thrownBy(() => readFileSync('/no/such/file')),
    { code: 5, message: "ENOENT: no such file or directory, open '/no/such/file'" },
  ],
  [
    'an addon that does not load',
    Object.assign(new Error('podwire.node: cannot open shared object file'), { code: 'ERR_DLOPEN_FAILED' }),
    { code: 5, message: expect.stringContaining('podwire.node'), details: expect.stringContaining('podwire install') },
  ],
  [
    'a TypeError',
    new TypeError('x is not a function'),
    { code: 104, message: expect.stringContaining('x is not a function') },
  ],
  ['what is no Error', 'text', { code: 104 }],
  ['nothing at all', undefined, { code: 104 }],
])('failureOf() of %s has a typed code', (_, error, expected) => {
  const failure = failureOf(error)
  expect(failure).toBeInstanceOf(CniError)
  expect(failure).toMatchObject(expected)
})

test('failureOf() keeps the cause, and says of a defect what to report', () => {
  const cause = new TypeError('x')
  expect(failureOf(cause).cause).toBe(cause)
  expect(failureOf(cause).details).toMatch(/report.*\n.*TypeError: x/s)
})

test('renderFailure() has the keys of SPEC.md §5 Error', () => {
  expect(JSON.parse(renderFailure(new CniError(7, 'm', 'd'), '0.4.0'))).toEqual({
    cniVersion: '0.4.0',
    code: 7,
    msg: 'm',
    details: 'd',
  })
  expect(JSON.parse(renderFailure(new CniError(7, 'm'), '0.4.0'))).toEqual({ cniVersion: '0.4.0', code: 7, msg: 'm' })
})

test('renderFailure() keeps a message to a line of a log', () => {
  const { msg } = JSON.parse(renderFailure(new CniError(5, `no such file: ${'x'.repeat(9000)}`), '1.1.0'))
  expect([msg.length, msg.endsWith('xxx...')]).toEqual([1000, true])
  expect(JSON.parse(renderFailure(new CniError(5, 'a\r\0b\nc'), '1.1.0')).msg).toBe('a\\r\\u0000b\nc')
})
