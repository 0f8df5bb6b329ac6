/** A plugin that notes what it was called with, and calls of it through cni/skel.ts. */
import { expect } from 'vitest'
import type { Cidr } from '../../addr/cidr.ts'
import { type Entry, entryOf } from '../../cni/entry.ts'
import type { Call, Plugin } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import type { Schema } from '../../cni/schema.ts'
import { type Output, run } from '../../cni/skel.ts'

const schema: Schema = {
  shape: { keys: { cniversion: ['cniVersion'], name: ['name'], prevresult: ['prevResult'] } },
  args: ['MAC'],
  words: {},
  validate: Object.assign((value: unknown) => typeof (value as { name?: unknown }).name === 'string', {
    errors: [{ instancePath: '', keyword: 'required', params: { missingProperty: 'name' } }],
  }),
}

const answer: Result = { ips: [{ address: '10.0.0.5/8' as Cidr }] }

/** A plugin that notes what it was called with. */
export const made = (over: Partial<Plugin<Call>> = {}, args?: Partial<Schema>): { entry: Entry; calls: Call[] } => {
  const calls: Call[] = []
  const note = (_: Call, call: Call): void => {
    calls.push(call)
  }
  const plugin: Plugin<Call> = {
    type: 'test',
    about: 'a plugin for tests',
    parse: (call) => call,
    add: (_, call) => {
      calls.push(call)
      return answer
    },
    del: note,
    check: note,
    gc: note,
    status: note,
    ...over,
  }
  return { entry: entryOf(plugin, { ...schema, ...args }), calls }
}

export const env = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/none',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/no/such/folder',
}
export const conf = { cniVersion: '1.1.0', name: 'net', type: 'test' }
export const prevResult = { cniVersion: '1.1.0', ips: [{ address: '10.0.0.9/8' }], extra: [1, { a: null }] }

export const call = (entry: Entry, over: Record<string, string | undefined>, json: unknown = conf): Output =>
  run(entry, {
    env: { ...env, ...over },
    stdin: () => (typeof json === 'string' ? json : JSON.stringify(json)),
    registry: () => undefined,
  })

export const errorOf = ({
  stdout,
  stderr,
  status,
}: Output): { code: number; msg: string; details?: string; cniVersion: string } => {
  expect([status, stderr]).toEqual([1, ''])
  return JSON.parse(stdout)
}
