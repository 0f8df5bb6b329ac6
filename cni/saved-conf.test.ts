import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { cleanUp, makeFolder } from '../test/support/cleanup.ts'
import { removeConf, replaceConf, saveConf, savedConf, staleConfs } from './saved-conf.ts'

afterAll(cleanUp)

const ETH0 = { network: 'cbr0', containerID: 'c1', ifName: 'eth0' }
const ETH1 = { ...ETH0, ifName: 'eth1' }
const OTHER = { ...ETH0, network: 'other', ifName: 'net1' }
const confOf = (name: string, more = {}) => ({ type: 'bridge', name, ...more })
const CONF = confOf('cbr0')

let dir = ''
beforeEach(() => {
  dir = `${makeFolder('saved')}/flannel`
})

const write = (name: string, text: string): void => {
  mkdirSync(dir, { recursive: true })
  writeFileSync(`${dir}/${name}`, text)
}
const read = (name: string): unknown => JSON.parse(readFileSync(`${dir}/${name}`, 'utf8'))
/** Files alone, sorted. */
const files = (): string[] =>
  (readdirSync(dir, { recursive: true }) as string[]).filter((path) => statSync(`${dir}/${path}`).isFile()).sort()

describe('saveConf()', () => {
  test('writes where upstream reads, with its modes', () => {
    expect(saveConf(dir, ETH0, CONF)).toEqual({ isNew: true, isFirst: true })
    expect(read('c1')).toEqual(CONF)
    expect([statSync(dir).mode & 0o777, statSync(`${dir}/c1`).mode & 0o777]).toEqual([0o700, 0o600])
    expect(savedConf(dir, ETH0)).toEqual(CONF)
  })

  test('leaves what is kept of the attachment', () => {
    saveConf(dir, ETH0, CONF)
    expect(saveConf(dir, ETH0, confOf('cbr0', { mtu: 9 }))).toEqual({ isNew: false, isFirst: false })
    expect([savedConf(dir, ETH0), read('c1')]).toEqual([CONF, CONF])
  })

  test('keeps one for each attachment of a container, and leaves upstream the first', () => {
    saveConf(dir, ETH0, CONF)
    expect(saveConf(dir, OTHER, confOf('other'))).toEqual({ isNew: true, isFirst: false })
    expect([savedConf(dir, ETH0), savedConf(dir, OTHER), read('c1')]).toEqual([CONF, confOf('other'), CONF])
  })

  test('follows no link that somebody planted', () => {
    const victim = `${dir}.victim`
    mkdirSync(`${dir}/.podwire/cbr0`, { recursive: true })
    writeFileSync(victim, 'mine')
    symlinkSync(victim, `${dir}/.podwire/cbr0/c1:eth0`)
    symlinkSync(victim, `${dir}/c1`)
    expect(saveConf(dir, ETH0, CONF)).toEqual({ isNew: false, isFirst: false })
    expect(readFileSync(victim, 'utf8')).toBe('mine')
    expect(savedConf(dir, ETH0)).toBe(undefined)
  })

  test('says what cannot be written', () => {
    write('.podwire', 'a file')
    expect(() => saveConf(dir, ETH0, CONF)).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })
})

test('replaceConf() replaces what is kept, for upstream too', () => {
  saveConf(dir, ETH0, CONF)
  replaceConf(dir, ETH0, confOf('cbr0', { mtu: 9 }))
  expect([savedConf(dir, ETH0), read('c1')]).toEqual([confOf('cbr0', { mtu: 9 }), confOf('cbr0', { mtu: 9 })])
})

describe('savedConf()', () => {
  test('is what another implementation wrote for the container in this network', () => {
    write('c1', JSON.stringify(CONF))
    expect([savedConf(dir, ETH0), savedConf(dir, ETH1), savedConf(dir, OTHER)]).toEqual([CONF, CONF, undefined])
  })

  test.for(['', '{', '[]', 'null', '"bridge"', '{"name":"cbr0"}', '{"name":"cbr0","type":7}', '{"type":"bridge"}'])(
    'is undefined when the file holds %j',
    (text) => {
      write('c1', text)
      expect(savedConf(dir, ETH0)).toBe(undefined)
    },
  )

  test('is undefined for a folder in the place of the file', () => {
    mkdirSync(`${dir}/c1`, { recursive: true })
    expect(savedConf(dir, ETH0)).toBe(undefined)
  })

  test('falls back on the file that upstream reads when half of the own one was written', () => {
    saveConf(dir, ETH0, CONF)
    unlinkSync(`${dir}/.podwire/cbr0/c1:eth0`)
    write('.podwire/cbr0/c1:eth0', '{"type":"bri')
    expect(savedConf(dir, ETH0)).toEqual(CONF)
  })
})

describe('removeConf()', () => {
  test('leaves nothing, twice, and before anything was kept', () => {
    saveConf(dir, ETH0, CONF)
    removeConf(dir, ETH0)
    expect(files()).toEqual([])
    removeConf(dir, ETH0)
    removeConf(`${dir}/none`, ETH0)
  })

  test('removes what another implementation wrote in this network, and nothing of another', () => {
    write('c1', JSON.stringify(confOf('other')))
    removeConf(dir, ETH0)
    expect(files()).toEqual(['c1'])
    removeConf(dir, OTHER)
    expect(files()).toEqual([])
  })

  test('hands the file that upstream reads on to another attachment of the container', () => {
    saveConf(dir, ETH0, CONF)
    saveConf(dir, OTHER, confOf('other'))
    removeConf(dir, ETH0)
    expect(files()).toEqual(['.podwire/other/c1:net1', 'c1'])
    expect(read('c1')).toEqual(confOf('other'))
    removeConf(dir, ETH0)
    expect(read('c1')).toEqual(confOf('other'))
    removeConf(dir, OTHER)
    expect(files()).toEqual([])
  })

  test('of an attachment beside one of another implementation leaves that one’s', () => {
    write('c1', JSON.stringify(CONF))
    saveConf(dir, ETH1, CONF)
    removeConf(dir, ETH1)
    expect(files()).toEqual(['c1'])
  })

  test.for([
    ['before the link was made', () => unlinkSync(`${dir}/c1`)],
    ['before the file that upstream reads was removed', () => unlinkSync(`${dir}/.podwire/cbr0/c1:eth0`)],
  ] as const)('finishes what was interrupted %s', ([, interrupt]) => {
    saveConf(dir, ETH0, CONF)
    interrupt()
    removeConf(dir, ETH0)
    expect(files()).toEqual([])
  })
})

describe('staleConfs()', () => {
  test('is what is kept of this network and not among the valid', () => {
    saveConf(dir, ETH0, CONF)
    saveConf(dir, ETH1, CONF)
    saveConf(dir, OTHER, confOf('other'))
    expect(staleConfs(dir, 'cbr0', [{ containerID: 'c1', ifName: 'eth0' }])).toEqual([
      { attachment: { containerID: 'c1', ifName: 'eth1' }, conf: CONF },
    ])
  })

  test('has what another implementation wrote, by the name that interfaces have', () => {
    for (const [id, conf] of [
      ['old', CONF],
      ['live', CONF],
      ['foreign', confOf('other')],
    ] as const)
      write(id, JSON.stringify(conf))
    write('half', '{"type":"bri')
    write('.hidden', JSON.stringify(CONF))
    expect(staleConfs(dir, 'cbr0', [{ containerID: 'live', ifName: 'net7' }])).toEqual([
      { attachment: { containerID: 'old', ifName: 'eth0' }, conf: CONF },
    ])
  })

  test('has an attachment of which half a file was written, without a configuration', () => {
    mkdirSync(`${dir}/.podwire/cbr0`, { recursive: true })
    write('.podwire/cbr0/c2:eth0', '{"ty')
    write('.podwire/cbr0/notes.txt', 'of a person')
    expect(staleConfs(dir, 'cbr0', [])).toEqual([
      { attachment: { containerID: 'c2', ifName: 'eth0' }, conf: undefined },
    ])
  })

  test('is nothing where nothing was ever kept', () => expect(staleConfs(`${dir}/none`, 'cbr0', [])).toEqual([]))

  test('says what cannot be read', () => {
    write('c1', '{}')
    expect(() => staleConfs(`${dir}/c1`, 'cbr0', [])).toThrow(expect.objectContaining({ code: 'ENOTDIR' }))
  })
})
