import { expect, test } from 'vitest'
import { CniError } from './error.ts'
import { ipamAdd, ipamCheck, ipamDel, ipamGc, ipamStatus, ipamTypeOf } from './ipam.ts'
import type { Call, NetConf, Verb } from './plugin.ts'
import type { Result } from './result.ts'

type Answer = Result | Error | undefined

/** A call whose IPAM plugin answers each verb as told; `asked` are the verbs it was asked, in order. */
const callWith = (
  answers: Partial<Record<Verb, Answer>>,
  ipam: object | null = { type: 'pool' },
): { call: Call; asked: string[] } => {
  const asked: string[] = []
  const delegate: Call['delegate'] = (type, verb) => {
    asked.push(`${type} ${verb}`)
    const answer = answers[verb]
    if (answer instanceof Error) throw answer
    return answer
  }
  const conf = {
    cniVersion: '1.1.0',
    name: 'n',
    type: 'main',
    ...(ipam === null ? {} : { ipam }),
  } as unknown as NetConf
  const none = {
    containerID: 'c',
    ifName: 'eth0',
    netns: '',
    args: {},
    path: [],
    stdin: '',
    prevResult: undefined,
    valid: [],
  }
  return { call: { verb: 'ADD', ...none, conf, delegate }, asked }
}

const result: Result = { ips: [{ address: '10.0.0.1/8' as never }] }
const unknownVerb = new CniError(4, 'unknown CNI_COMMAND: STATUS')

test('ipamAdd() returns the result', () => expect(ipamAdd(callWith({ ADD: result }).call)).toBe(result))

test.each([undefined, {}, { ips: [] }])('ipamAdd() refuses the answer %j and releases', (answer) => {
  const { call, asked } = callWith({ ADD: answer })
  expect(() => ipamAdd(call)).toThrow(expect.objectContaining({ code: 7, message: 'ipam plugin pool gave no address' }))
  expect(asked).toEqual(['pool ADD', 'pool DEL'])
})

test('ipamAdd() releases when ADD fails, and throws what ADD threw', () => {
  const error = new CniError(101, 'exhausted')
  const { call, asked } = callWith({ ADD: error, DEL: new CniError(5, 'too') })
  expect(() => ipamAdd(call)).toThrow(error)
  expect(asked).toEqual(['pool ADD', 'pool DEL'])
})

test.each([
  ['ipamDel', ipamDel, 'DEL'],
  ['ipamCheck', ipamCheck, 'CHECK'],
  ['ipamGc', ipamGc, 'GC'],
  ['ipamStatus', ipamStatus, 'STATUS'],
] as const)('%s() forwards the verb, and nothing without ipam.type', (_, forward, verb) => {
  const some = callWith({})
  forward(some.call)
  expect(some.asked).toEqual([`pool ${verb}`])
  for (const ipam of [null, {}, { type: '' }]) {
    const none = callWith({}, ipam)
    forward(none.call)
    expect(none.asked).toEqual([])
  }
})

test('ipamAdd() without ipam.type is an empty result', () => {
  const { call, asked } = callWith({}, {})
  expect(ipamTypeOf(call)).toBe('')
  expect(ipamAdd(call)).toEqual({})
  expect(asked).toEqual([])
})

test.each([
  ['ipamDel', ipamDel, 'DEL'],
  ['ipamCheck', ipamCheck, 'CHECK'],
  ['ipamGc', ipamGc, 'GC'],
] as const)('%s() throws what the plugin threw', (_, forward, verb) => {
  const error = new CniError(5, 'disk')
  expect(() => forward(callWith({ [verb]: error }).call)).toThrow(error)
})

test.each([
  ['ipamGc', ipamGc, 'GC'],
  ['ipamStatus', ipamStatus, 'STATUS'],
] as const)('%s() passes a plugin that does not know the verb when it supports the version', (_, forward, verb) => {
  const { call, asked } = callWith({ [verb]: unknownVerb })
  forward(call)
  expect(asked).toEqual([`pool ${verb}`, 'pool VERSION'])
})

test('ipamStatus() is 50 for a plugin that supports neither the verb nor the version', () => {
  const { call } = callWith({ STATUS: unknownVerb, VERSION: new CniError(1, 'does not support cniVersion 1.1.0') })
  expect(() => ipamStatus(call)).toThrow(
    expect.objectContaining({ code: 50, message: expect.stringContaining('ipam plugin pool is not available') }),
  )
})

test.each([50, 51])('ipamStatus() passes on code %i', (code) => {
  const error = new CniError(code, 'no addresses')
  expect(() => ipamStatus(callWith({ STATUS: error }).call)).toThrow(error)
})

test('ipamStatus() is 50 for whatever else keeps the plugin from serving ADD', () => {
  const { call } = callWith({ STATUS: new CniError(7, 'no plugin "pool" in CNI_PATH', 'searched "/a"') })
  expect(() => ipamStatus(call)).toThrow(
    expect.objectContaining({
      code: 50,
      message: expect.stringContaining('no plugin "pool"'),
      details: 'searched "/a"',
    }),
  )
})
