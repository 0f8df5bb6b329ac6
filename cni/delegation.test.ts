import { readdirSync, statSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import { callOf } from '../test/support/call.ts'
import { cleanUp, makeFolder } from '../test/support/cleanup.ts'
import { addDelegated, checkDelegated, delDelegated, gcDelegated, statusDelegated } from './delegation.ts'
import { CniError } from './error.ts'
import type { AttachmentId, Call, DelegateRequest, Verb } from './plugin.ts'
import { saveConf, savedConf } from './saved-conf.ts'

afterAll(cleanUp)

const OWNER = { network: 'net', containerID: 'c1', ifName: 'eth0' }
const CONF = { cniVersion: '1.1.0', name: 'net', type: 'bridge', mtu: 1450, ipam: { type: 'host-local' } }
const RESULT = { ips: [{ address: '10.0.0.5/8' as Cidr }] }

interface Seen {
  readonly verb: string
  readonly conf: object | undefined
  readonly attachment?: AttachmentId
}

let dir = ''
let seen: Seen[] = []
beforeEach(() => {
  dir = `${makeFolder('delegation')}/d`
  seen = []
})

/** A call whose delegate writes down what it gets, and fails as `failures` says. */
const calling = (more: Partial<Call> = {}, failures: Partial<Record<Verb, Error>> = {}): Call =>
  callOf(
    { prevResult: { cniVersion: '1.1.0' }, 'cni.dev/valid-attachments': [] },
    {
      ...more,
      delegate: (type: string, verb: Verb, request?: DelegateRequest) => {
        seen.push({ verb: `${type} ${verb}`, ...request, conf: request?.conf })
        const failure = failures[verb]
        if (failure !== undefined) throw failure
        return verb === 'ADD' ? RESULT : undefined
      },
    },
  )

const files = (): string[] =>
  (readdirSync(dir, { recursive: true }) as string[]).filter((path) => statSync(`${dir}/${path}`).isFile())
const verbs = (): readonly string[] => seen.map(({ verb }) => verb)
const REFUSED = new CniError(7, 'no', 'try yes')

describe('addDelegated()', () => {
  test('keeps what the delegate is given, and returns its result', () => {
    expect(addDelegated(calling(), dir, CONF)).toBe(RESULT)
    expect(seen).toEqual([{ verb: 'bridge ADD', conf: CONF }])
    expect(savedConf(dir, OWNER)).toEqual(CONF)
  })

  test('takes back what a delegate left that failed, and says whose failure it is', () => {
    const error = { code: 7, message: 'delegate bridge: no', details: 'try yes' }
    expect(() => addDelegated(calling({}, { ADD: REFUSED }), dir, CONF)).toThrow(expect.objectContaining(error))
    expect([verbs(), files()]).toEqual([['bridge ADD', 'bridge DEL'], []])
  })

  test('keeps the configuration when the delegate cannot take back what it left', () => {
    const failures = { ADD: REFUSED, DEL: new CniError(102, 'busy') }
    expect(() => addDelegated(calling({}, failures), dir, CONF)).toThrow('no')
    expect(savedConf(dir, OWNER)).toEqual(CONF)
  })

  test('keeps none that the delegate refuses to attach and to detach with', () => {
    expect(() => addDelegated(calling({}, { ADD: REFUSED, DEL: REFUSED }), dir, CONF)).toThrow('no')
    expect(files()).toEqual([])
  })

  test('of what is attached already detaches nothing and keeps what was kept', () => {
    saveConf(dir, OWNER, { ...CONF, mtu: 1 })
    const failures = { ADD: new CniError(999, 'file exists') }
    expect(() => addDelegated(calling({}, failures), dir, CONF)).toThrow('file exists')
    expect([verbs(), savedConf(dir, OWNER)]).toEqual([['bridge ADD'], { ...CONF, mtu: 1 }])
  })

  test('of an interface that is another’s detaches nothing, and keeps nothing', () => {
    const failures = { ADD: new CniError(103, 'eth0 exists already') }
    expect(() => addDelegated(calling({}, failures), dir, CONF)).toThrow('eth0 exists already')
    expect([verbs(), files()]).toEqual([['bridge ADD'], []])
  })

  test('beside another attachment of the container detaches nothing, and keeps that one’s', () => {
    saveConf(dir, { ...OWNER, ifName: 'net1' }, CONF)
    expect(() => addDelegated(calling({}, { ADD: REFUSED }), dir, CONF)).toThrow('no')
    expect(verbs()).toEqual(['bridge ADD'])
    expect(savedConf(dir, { ...OWNER, ifName: 'net1' })).toEqual(CONF)
    expect(files().toSorted()).toEqual(['.podwire/net/c1:net1', 'c1'])
  })

  test('that succeeds after an ADD that was killed keeps what is true now', () => {
    saveConf(dir, OWNER, { ...CONF, mtu: 1 })
    addDelegated(calling(), dir, CONF)
    expect(savedConf(dir, OWNER)).toEqual(CONF)
  })
})

test('checkDelegated() hands on the result that the runtime sent', () => {
  checkDelegated(calling(), { ...CONF, cniVersion: '0.4.0' })
  expect(seen).toEqual([{ verb: 'bridge CHECK', conf: { ...CONF, prevResult: { cniVersion: '1.1.0' } } }])
})

describe('delDelegated()', () => {
  const remade = (isComplete: boolean) => () => ({ conf: { ...CONF, mtu: 2 }, isComplete })

  test('gives the delegate what ADD kept, and then forgets it', () => {
    saveConf(dir, OWNER, CONF)
    delDelegated(calling(), dir, remade(true))
    expect(seen).toEqual([{ verb: 'bridge DEL', conf: { ...CONF, prevResult: { cniVersion: '1.1.0' } } }])
    expect(files()).toEqual([])
  })

  test('keeps it when the delegate fails', () => {
    saveConf(dir, OWNER, CONF)
    const failures = { DEL: new CniError(102, 'busy') }
    expect(() => delDelegated(calling({}, failures), dir, remade(false))).toThrow('delegate bridge: busy')
    expect([verbs(), savedConf(dir, OWNER)]).toEqual([['bridge DEL'], CONF])
  })

  test('takes what is known now where the delegate refuses what was kept', () => {
    saveConf(dir, OWNER, CONF)
    expect(() => delDelegated(calling({}, { DEL: REFUSED }), dir, remade(true))).toThrow('delegate bridge: no')
    expect(seen.map(({ conf }) => conf)).toMatchObject([{ mtu: 1450 }, { mtu: 2 }])
  })

  test('makes it anew when it is gone', () => {
    delDelegated(calling(), dir, remade(true))
    expect(seen.map(({ conf }) => conf)).toMatchObject([{ mtu: 2 }])
    expect(() => delDelegated(calling({}, { DEL: REFUSED }), dir, remade(true))).toThrow('no')
  })

  test('succeeds when nothing is known and the delegate refuses', () =>
    delDelegated(calling({}, { DEL: REFUSED }), dir, remade(false)))
})

describe('gcDelegated()', () => {
  const VALID = { 'cni.dev/valid-attachments': [] }

  test('detaches what is kept of attachments that are no more, and forwards GC with the list', () => {
    saveConf(dir, { ...OWNER, ifName: 'eth7' }, CONF)
    saveConf(dir, { ...OWNER, network: 'other' }, CONF)
    gcDelegated(calling({ containerID: '', ifName: '' }), dir, { ...CONF, mtu: 2 })
    expect(seen).toEqual([
      { verb: 'bridge DEL', conf: CONF, attachment: { containerID: 'c1', ifName: 'eth7' } },
      { verb: 'bridge GC', conf: { ...CONF, mtu: 2, ...VALID } },
    ])
    expect(files().toSorted()).toEqual(['.podwire/other/c1:eth0', 'c1'])
  })

  test('forwards GC to every plugin that attachments were delegated to', () => {
    saveConf(dir, OWNER, { ...CONF, type: 'ptp' })
    gcDelegated(calling(), dir, CONF)
    expect(verbs()).toEqual(['ptp DEL', 'ptp GC', 'bridge GC'])
  })

  test('goes on past failures, keeps what was not detached, and reports all', () => {
    saveConf(dir, OWNER, CONF)
    const failures = { DEL: REFUSED, GC: new CniError(11, 'later') }
    expect(() => gcDelegated(calling({}, failures), dir, CONF)).toThrow('delegate bridge: no; delegate bridge: later')
    expect(savedConf(dir, OWNER)).toEqual(CONF)
  })

  test('takes a delegate that knows no GC for one that has nothing to say to it', () => {
    const failures = { GC: new CniError(4, 'unknown CNI_COMMAND: GC') }
    gcDelegated(calling({}, failures), dir, CONF)
    expect(verbs()).toEqual(['bridge GC', 'bridge VERSION'])
  })
})

test.for<[number, number]>([
  [50, 50],
  [51, 51],
  [7, 50],
])('statusDelegated() answers the delegate’s code %d with %d', ([code, expected]) => {
  const error = new CniError(code, 'not now')
  expect(() => statusDelegated(calling({}, { STATUS: error }), CONF)).toThrow(
    expect.objectContaining({ code: expected, message: expect.stringContaining('not now') }),
  )
})
