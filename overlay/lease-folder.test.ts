import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../addr/ip.ts'
import { parseMac } from '../addr/mac.ts'
import type { Lease } from './lease.ts'
import {
  createEntry,
  type FolderEntry,
  hasExpired,
  keyOfFile,
  makeFolder,
  readEntries,
  readEntry,
  readNetConfText,
  removeEntry,
  replaceEntry,
} from './lease-folder.ts'
import { parseLeaseKey } from './lease-key.ts'
import { StoreError } from './store-error.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-folder-'))
  makeFolder(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const KEY = '10.5.52.0-24'
const END = Date.UTC(2026, 10, 21, 10)

/** etcd's value in flannel Documentation/reservations.md, as a person copies it into a file. */
const FLANNELS =
  '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}'
const LEASE: Lease = {
  key: KEY,
  ...parseLeaseKey(KEY),
  publicIP: parseIp('192.168.64.3'),
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: parseMac('c6:d2:32:6f:8f:44') },
  v6Data: {},
}

const pathOf = (key = KEY): string => `${folder}/subnets/${key}.json`
const names = (): readonly string[] => readdirSync(`${folder}/subnets`)
const whyOf = (entry: FolderEntry | undefined): string => (entry?.kind === 'invalid' ? entry.why : `no: ${entry?.kind}`)

describe('a file of a lease', () => {
  test("is flannel's value", () => {
    createEntry(folder, { lease: LEASE })
    expect(readFileSync(pathOf(), 'utf8')).toBe(`${FLANNELS}\n`)
  })

  test('has its end beside it', () => {
    createEntry(folder, { lease: LEASE, expires: END })
    expect(readFileSync(pathOf(), 'utf8')).toBe(`${FLANNELS.slice(0, -1)},"Expiration":"2026-11-21T10:00:00.000Z"}\n`)
  })

  test.for([undefined, END])('is read as it was written, ending at %s', (expires) => {
    const own = { lease: LEASE, ...(expires === undefined ? {} : { expires }) }
    createEntry(folder, own)
    expect(readEntry(folder, KEY)).toEqual({ kind: 'lease', key: KEY, ...own })
  })

  test.for<[written: string, time: number]>([
    ['2026-11-21T10:00:00Z', END],
    ['2026-11-21T11:30:00.5+01:30', END + 500],
  ])('may end at %s', ([written, time]) => {
    writeFileSync(pathOf(), `${FLANNELS.slice(0, -1)}, "Expiration": "${written}"}`)
    expect(readEntry(folder, KEY)).toEqual({ kind: 'lease', key: KEY, lease: LEASE, expires: time })
  })

  test('can be there for all to read', () => {
    createEntry(folder, { lease: LEASE })
    expect(statSync(pathOf()).mode & 0o777).toBe(0o644)
  })

  test('that is there is never replaced by a new one', () => {
    writeFileSync(pathOf(), 'what another wrote')
    expect(createEntry(folder, { lease: LEASE })).toBe(false)
    expect(readFileSync(pathOf(), 'utf8')).toBe('what another wrote')
    expect(names()).toEqual([`${KEY}.json`])
  })

  test('is replaced and removed with nothing left beside it', () => {
    createEntry(folder, { lease: LEASE })
    replaceEntry(folder, { lease: { ...LEASE, publicIP: parseIp('192.168.64.4') } })
    expect(readEntry(folder, KEY)).toMatchObject({ lease: { publicIP: '192.168.64.4' } })
    expect(names()).toEqual([`${KEY}.json`])
    removeEntry(folder, KEY)
    removeEntry(folder, KEY)
    expect(names()).toEqual([])
  })

  test('that is absent is undefined', () => {
    expect(readEntry(folder, KEY)).toBeUndefined()
  })
})

describe('readEntry() says why a file is no lease, and which file', () => {
  test.for<[text: string, why: string]>([
    ['', 'empty'],
    ['{"PublicIP":', 'JSON'],
    ['[]', 'object'],
    ['{"PublicIP":"1.2.3"}', '"1.2.3" is not an IPv4 address'],
    [`${FLANNELS.slice(0, -1)},"Expiration":"tomorrow"}`, '$.Expiration: "tomorrow" is no time such as'],
    [`${FLANNELS.slice(0, -1)},"Expiration":17}`, '$.Expiration: 17 is no time'],
    [`${FLANNELS.slice(0, -1)},"Expiration":"2026-13-45T10:00:00Z"}`, 'is no time'],
  ])('%s', ([text, why]) => {
    writeFileSync(pathOf(), text)
    const found = whyOf(readEntry(folder, KEY))
    expect(found).toContain(why)
    expect(found).toContain(pathOf())
  })

  test('whose name is no subnet', () => {
    writeFileSync(pathOf('node-7'), FLANNELS)
    expect(whyOf(readEntry(folder, 'node-7'))).toContain('"node-7" names no subnet')
  })

  test('which is a folder', () => {
    mkdirSync(pathOf())
    expect(readEntry(folder, KEY)).toMatchObject({ kind: 'invalid' })
  })
})

test('readEntries() reads every lease, and nothing that is none by its name', () => {
  createEntry(folder, { lease: LEASE, expires: 1 })
  for (const name of ['10.5.1.0-24.json.swp', '.10.5.1.0-24.json', '.draft-1-2-3', 'README'])
    writeFileSync(`${folder}/subnets/${name}`, FLANNELS)
  writeFileSync(pathOf('10.5.2.0-24'), '{')
  expect(readEntries(folder).map(({ kind, key }) => `${kind} ${key}`)).toEqual([`invalid 10.5.2.0-24`, `lease ${KEY}`])
})

test.for<[name: string, key: string | undefined]>([
  ['10.5.52.0-24.json', KEY],
  ['10.5.52.0-24&fd00:0:0:1::-64.json', '10.5.52.0-24&fd00:0:0:1::-64'],
  ['.hidden.json', undefined],
  ['10.5.52.0-24', undefined],
])('keyOfFile() of %s is %s', ([name, key]) => {
  expect(keyOfFile(name)).toBe(key)
})

test.for<[expires: number | undefined, is: boolean]>([
  [undefined, false],
  [999, true],
  [1000, true],
  [1001, false],
])('hasExpired() of a lease until %s at 1000 is %s', ([expires, is]) => {
  expect(hasExpired(expires === undefined ? {} : { expires }, 1000)).toBe(is)
})

describe('a folder that cannot be used is told with what to do', () => {
  test('there is no network configuration', () => {
    const act = (): string => readNetConfText(folder)
    expect(act).toThrow(StoreError)
    expect(act).toThrow(`there is no "${folder}/config.json": write the network configuration there`)
    writeFileSync(`${folder}/config.json`, '{"Network":"10.5.0.0/16"}')
    expect(act()).toBe('{"Network":"10.5.0.0/16"}')
  })

  test('it is not there', () => {
    expect(() => readEntries(`${folder}/none`)).toThrow(StoreError)
    expect(() => readEntries(`${folder}/none`)).toThrow(
      `cannot read "${folder}/none/subnets": it is not there: make it, mount it, or name another folder`,
    )
  })

  test('its path leads through a file', () => {
    writeFileSync(`${folder}/file`, '')
    expect(() => makeFolder(`${folder}/file`)).toThrow(
      `cannot make "${folder}/file/subnets": a part of the path is a file: name another folder`,
    )
    expect(() => readNetConfText(`${folder}/file`)).toThrow('a part of the path is a file')
  })

  test('it takes no files', () => {
    const act = (): boolean => createEntry('/proc', { lease: LEASE })
    expect(act).toThrow(StoreError)
    expect(act).toThrow(/^cannot write "\/proc\/subnets\//)
  })
})

test('makeFolder() makes what is missing, and leaves what is there', () => {
  rmSync(folder, { recursive: true })
  makeFolder(folder)
  chmodSync(`${folder}/subnets`, 0o700)
  makeFolder(folder)
  expect(statSync(`${folder}/subnets`).mode & 0o777).toBe(0o700)
})

test('createEntry() does not write through a symbolic link', () => {
  symlinkSync(`${folder}/elsewhere`, pathOf())
  expect(createEntry(folder, { lease: LEASE })).toBe(false)
  expect(existsSync(`${folder}/elsewhere`)).toBe(false)
})
