import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import { cleanUp, makeFolder } from '../test/support/cleanup.ts'
import { env as base, conf, errorOf, made } from '../test/support/skel.ts'
import type { Entry } from './entry.ts'
import { CniError } from './error.ts'
import type { Result } from './result.ts'
import { type Output, run } from './skel.ts'

afterAll(cleanUp)

const folder = makeFolder('skel')
const env = { ...base, CNI_PATH: folder }
const answer: Result = { ips: [{ address: '10.0.0.5/8' as Cidr }] }
const ipam = made({ type: 'pool', add: () => answer })
symlinkSync(process.execPath, join(folder, 'pool'))
writeFileSync(
  join(folder, 'foreign'),
  `#!/bin/sh\necho '{"cniVersion":"0.3.1","ips":[{"version":"4","address":"10.9.9.9/8"}]}'\n`,
)
chmodSync(join(folder, 'foreign'), 0o755)

const delegating = (type: string): Entry =>
  made({ add: (_, main) => main.delegate(type, 'ADD') ?? {}, del: (_, main) => void main.delegate(type, 'DEL') }).entry

const callWithPool = (entry: Entry, verb: string, over: object = {}): Output =>
  run(entry, {
    env: { ...env, CNI_COMMAND: verb, ...over },
    stdin: () => JSON.stringify({ ...conf, ipam: { type: 'pool' } }),
    registry: (type) => (type === 'pool' ? ipam.entry : undefined),
  })

test('run() runs a delegate of this executable in process, with the same stdin', () => {
  expect(JSON.parse(callWithPool(delegating('pool'), 'ADD').stdout).ips).toEqual([{ address: '10.0.0.5/8' }])
  callWithPool(delegating('pool'), 'DEL')
  expect(ipam.calls.at(-1)).toMatchObject({
    verb: 'DEL',
    containerID: 'c1',
    stdin: JSON.stringify({ ...conf, ipam: { type: 'pool' } }),
  })
})

test('run() executes a delegate that is another program', () =>
  expect(JSON.parse(callWithPool(delegating('foreign'), 'ADD').stdout).ips).toEqual([{ address: '10.9.9.9/8' }]))

test('run() passes on the error of a delegate in process', () => {
  const busy = made({
    add: () => {
      throw new CniError(11, 'busy')
    },
  })
  const { stdout } = run(delegating('pool'), { env, stdin: () => JSON.stringify(conf), registry: () => busy.entry })
  expect(JSON.parse(stdout)).toMatchObject({ code: 11, msg: 'busy' })
})

test('run() names the folders searched for a delegate that is nowhere', () =>
  expect(errorOf(callWithPool(delegating('nowhere'), 'ADD'))).toMatchObject({
    code: 7,
    msg: 'no plugin "nowhere" in CNI_PATH',
    details: expect.stringContaining(folder),
  }))

test('run() gives a delegate the configuration that was made for it, and the attachment', () => {
  const main = made({
    gc: (_, call) =>
      void call.delegate('pool', 'DEL', {
        conf: { ...conf, name: 'other' },
        attachment: { containerID: 'c9', ifName: 'net1' },
      }),
  })
  const output = run(main.entry, {
    env: { CNI_COMMAND: 'GC', CNI_PATH: folder },
    stdin: () => JSON.stringify({ ...conf, 'cni.dev/valid-attachments': [] }),
    registry: () => ipam.entry,
  })
  expect(output).toEqual({ stdout: '', stderr: '', status: 0 })
  expect(ipam.calls.at(-1)).toMatchObject({
    verb: 'DEL',
    containerID: 'c9',
    ifName: 'net1',
    netns: '',
    conf: { name: 'other' },
  })
})

test('run() executes a delegate with the configuration that was made for it', () => {
  writeFileSync(join(folder, 'loud'), `#!/bin/sh\ncat > ${folder}/heard\n`)
  chmodSync(join(folder, 'loud'), 0o755)
  const main = made({ del: (_, call) => void call.delegate('loud', 'DEL', { conf: { ...conf, mtu: 9 } }) })
  run(main.entry, { env: { ...env, CNI_COMMAND: 'DEL' }, stdin: () => JSON.stringify(conf), registry: () => undefined })
  expect(JSON.parse(readFileSync(join(folder, 'heard'), 'utf8'))).toEqual({ ...conf, mtu: 9 })
})
