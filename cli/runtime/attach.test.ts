import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Attachment,
  addNetwork,
  checkNetwork,
  delNetwork,
  type Runtime,
  statusNetwork,
  versionsOf,
} from './attach.ts'
import { gcNetwork } from './gc.ts'
import { type Network, parseList } from './network.ts'
import { readCache } from './result-cache.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-attach-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** A plugin that notes how it was called and then does what `body` says; `$conf` is its stdin. */
const plugin = (type: string, body: string): void => {
  const note = 'echo "$CNI_COMMAND $(basename $0) $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS $conf"'
  writeFileSync(join(folder, type), `#!/bin/sh\nconf=$(cat)\n${note} >> ${folder}/calls\n${body}\n`)
  chmodSync(join(folder, type), 0o755)
}

const calls = (): readonly string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
/** The configurations of the calls of `verb`. */
const confsOf = (verb: string) =>
  calls()
    .filter((call) => call.startsWith(`${verb} `))
    .map((call) => JSON.parse(call.slice(call.indexOf('{'))))

const runtime = (): Runtime => ({ path: ['/nowhere', folder], cacheFolder: join(folder, 'cache') })
const network = (cniVersion: string, types = ['first', 'second']): Network =>
  parseList(
    JSON.stringify({ cniVersion, name: 'pods', plugins: types.map((type) => ({ type, capabilities: { mac: true } })) }),
    'pods.conflist',
    '',
  )
const attachment: Attachment = {
  containerID: 'c1',
  ifName: 'eth0',
  netns: '/run/netns/c1',
  args: [
    ['K', 'V'],
    ['L', 'W'],
  ],
  capabilities: { mac: '02:00:00:00:00:01', portMappings: [] },
}
const RESULT = '{"cniVersion":"1.0.0","ips":[{"address":"10.0.0.2/24"}]}'

describe('addNetwork()', () => {
  test('gives each plugin the name, the version, what it is capable of and the result before it', () => {
    plugin('first', `echo '${RESULT}'`)
    plugin('second', `echo '${RESULT}'`)
    const result = addNetwork(network('1.0.0'), attachment, runtime())
    expect(calls()[0]).toMatch(/^ADD first c1 \/run\/netns\/c1 eth0 K=V;L=W \{/)
    const common = {
      name: 'pods',
      cniVersion: '1.0.0',
      capabilities: { mac: true },
      runtimeConfig: { mac: '02:00:00:00:00:01' },
    }
    expect(confsOf('ADD')).toEqual([
      { type: 'first', ...common },
      { type: 'second', ...common, prevResult: JSON.parse(RESULT) },
    ])
    expect(result).toEqual(JSON.parse(RESULT))
    expect(readCache(join(folder, 'cache'))?.[0]).toMatchObject({ containerID: 'c1', result })
  })

  test('takes a result without a version to be of the configuration', () => {
    plugin('first', 'echo null')
    expect(addNetwork(network('0.4.0', ['first']), attachment, runtime())).toEqual({ cniVersion: '0.4.0' })
  })

  test("stops at the first error, passes on the plugin's code and caches nothing", () => {
    plugin('first', 'echo \'{"code":103,"msg":"port 80 is taken","details":"by web"}\'; exit 1')
    plugin('second', 'exit 1')
    expect(() => addNetwork(network('1.0.0'), attachment, runtime())).toThrow(
      expect.objectContaining({ code: 103, message: 'first ADD: port 80 is taken', details: 'by web' }),
    )
    expect(calls()).toHaveLength(1)
    expect(readCache(join(folder, 'cache'))).toBeUndefined()
  })

  test.each([
    ['stderr', 'echo broken >&2; exit 3', 'first ADD left with status 3 and printed no error object', 'broken'],
    ['a signal', 'kill -9 $$', 'first ADD was ended by SIGKILL and printed no error object', ''],
    ['text', 'echo text; exit 1', 'first ADD left with status 1 and printed no error object', 'text'],
  ])('says how a plugin ended that printed no error: %s', (_, body, message, details) => {
    plugin('first', body)
    expect(() => addNetwork(network('1.0.0'), attachment, runtime())).toThrow(
      expect.objectContaining({ message, details }),
    )
  })

  test('refuses an id that would lead out of the cache', () => {
    const evil = { ...attachment, containerID: '../../etc/x' }
    expect(() => addNetwork(network('1.0.0'), evil, runtime())).toThrow('CNI_CONTAINERID')
  })

  test('says which folders were searched', () => {
    expect(() => addNetwork(network('1.0.0', ['none']), attachment, runtime())).toThrow(
      expect.objectContaining({
        message: 'no plugin "none" in CNI_PATH',
        details: expect.stringContaining('/nowhere'),
      }),
    )
  })
})

describe('delNetwork()', () => {
  const attach = (version: string): void => {
    plugin('first', `[ $CNI_COMMAND = ADD ] && echo '${RESULT}' || :`)
    plugin('second', `[ $CNI_COMMAND = ADD ] && echo '${RESULT}' || :`)
    addNetwork(network(version), attachment, runtime())
  }

  test('runs backwards with the cached result and forgets it', () => {
    attach('1.0.0')
    delNetwork(network('1.0.0'), attachment, runtime())
    expect(confsOf('DEL').map(({ type, prevResult }) => [type, prevResult])).toEqual([
      ['second', JSON.parse(RESULT)],
      ['first', JSON.parse(RESULT)],
    ])
    expect(readCache(join(folder, 'cache'))).toEqual([])
  })

  test('converts the cached result when the version of the network has changed', () => {
    attach('1.0.0')
    delNetwork(network('0.4.0'), attachment, runtime())
    expect(confsOf('DEL')[0].prevResult).toEqual({
      cniVersion: '0.4.0',
      ips: [{ version: '4', address: '10.0.0.2/24' }],
    })
  })

  test('gives no prevResult before 0.4.0, and none when nothing is cached', () => {
    attach('0.3.1')
    delNetwork(network('0.3.1'), attachment, runtime())
    delNetwork(network('1.0.0'), attachment, runtime())
    expect(confsOf('DEL').map((conf) => 'prevResult' in conf)).toEqual([false, false, false, false])
  })

  test('keeps the cached result when a plugin refuses', () => {
    attach('1.0.0')
    plugin('first', 'echo \'{"code":11,"msg":"later"}\'; exit 1')
    expect(() => delNetwork(network('1.0.0'), attachment, runtime())).toThrow('first DEL: later')
    expect(readCache(join(folder, 'cache'))).toHaveLength(1)
  })
})

test('checkNetwork() runs forwards with the cached result, and not at all with disableCheck', () => {
  plugin('first', `[ $CNI_COMMAND = ADD ] && echo '${RESULT}' || :`)
  addNetwork(network('1.0.0', ['first']), attachment, runtime())
  checkNetwork(network('1.0.0', ['first']), attachment, runtime())
  checkNetwork({ ...network('1.0.0', ['first']), disableCheck: true }, attachment, runtime())
  expect(confsOf('CHECK').map(({ prevResult }) => prevResult)).toEqual([JSON.parse(RESULT)])
  expect(() => checkNetwork(network('0.3.1'), attachment, runtime())).toThrow('CHECK came with 0.4.0')
})

test('statusNetwork() passes on the first refusal and gives no attachment', () => {
  plugin('first', '')
  plugin('second', 'echo \'{"code":50,"msg":"no addresses left"}\'; exit 1')
  expect(() => statusNetwork(network('1.1.0'), runtime())).toThrow(expect.objectContaining({ code: 50 }))
  expect(calls()[0]).toMatch(/^STATUS first {5}\{/)
})

describe('gcNetwork()', () => {
  const keep = [{ containerID: 'c1', ifName: 'eth0' }]
  const attachTwo = (version: string): void => {
    plugin('first', `[ $CNI_COMMAND = ADD ] && echo '${RESULT}' || :`)
    addNetwork(network(version, ['first']), attachment, runtime())
    addNetwork(network(version, ['first']), { ...attachment, containerID: 'c2' }, runtime())
  }

  test('detaches what is cached and not kept, then sends the list under both of its names', () => {
    attachTwo('1.1.0')
    gcNetwork(network('1.1.0', ['first']), keep, runtime())
    expect(calls().filter((call) => call.startsWith('DEL'))).toEqual([expect.stringContaining('DEL first c2 ')])
    const list = [{ containerID: 'c1', ifname: 'eth0' }]
    expect(confsOf('GC')).toMatchObject([{ 'cni.dev/valid-attachments': list, 'cni.dev/attachments': list }])
  })

  test('asks no plugin below 1.1.0, and does nothing with disableGC', () => {
    attachTwo('1.0.0')
    gcNetwork({ ...network('1.0.0', ['first']), disableGC: true }, keep, runtime())
    expect(readCache(join(folder, 'cache'))).toHaveLength(2)
    gcNetwork(network('1.0.0', ['first']), keep, runtime())
    expect(readCache(join(folder, 'cache'))).toHaveLength(1)
    expect(confsOf('GC')).toEqual([])
  })

  test('goes on past failures and reports all of them', () => {
    attachTwo('1.1.0')
    plugin('first', 'echo \'{"code":5,"msg":"no"}\'; exit 1')
    expect(() => gcNetwork(network('1.1.0', ['first']), [], runtime())).toThrow(
      'first DEL: no; first DEL: no; first GC: no',
    )
  })
})

test('versionsOf() asks VERSION as libcni does', () => {
  plugin('first', 'echo \'{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}\'')
  expect(versionsOf('first', runtime())).toEqual(['1.0.0', '1.1.0'])
  expect(calls()[0]).toBe('VERSION first  dummy dummy  {"cniVersion":"1.1.0"}')
})
