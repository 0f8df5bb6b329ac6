import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseIp } from '../addr/ip.ts'
import { parseMac } from '../addr/mac.ts'
import type { Claim, OwnLease } from './claim.ts'
import { acquireInFolder, renewInFolder } from './folder-allocation.ts'
import { makeFolder } from './lease-folder.ts'
import { parseNetConf } from './net-conf.ts'
import { LeaseLost, StoreError } from './store-error.ts'

const CONF = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.10.0"}')
const NOW = Date.UTC(2026, 10, 21, 10)
const HOUR = 60 * 60 * 1000
const KEY = '10.5.10.0-24'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-folder-'))
  makeFolder(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const claimOf = (n: number, mac = '0e:00:00:00:00:01'): Claim => ({
  publicIP: parseIp(`192.0.2.${n}`),
  backendType: 'vxlan',
  data: { vni: 1, vtepMac: parseMac(mac) },
  v6Data: {},
  previous: [],
})
const acquire = (n: number, now = NOW): OwnLease => acquireInFolder(folder, claimOf(n), CONF, now)

const pathOf = (key = KEY): string => `${folder}/subnets/${key}.json`
const fileOf = (key = KEY): Readonly<Record<string, unknown>> => JSON.parse(readFileSync(pathOf(key), 'utf8'))
const names = (): readonly string[] => readdirSync(`${folder}/subnets`)

/** A lease as a person writes it: without an end. */
const writeStatic = (n: number, key = KEY): void =>
  writeFileSync(
    pathOf(key),
    `{"PublicIP":"192.0.2.${n}","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}}`,
  )

describe('acquireInFolder()', () => {
  test('makes a lease for a day', () => {
    expect(acquire(1)).toMatchObject({ lease: { key: KEY, publicIP: '192.0.2.1' }, expires: NOW + 24 * HOUR })
    expect(fileOf()['Expiration']).toBe('2026-11-22T10:00:00.000Z')
  })

  test('takes its own lease for another day', () => {
    acquire(1)
    expect(acquire(1, NOW + HOUR)).toMatchObject({ lease: { key: KEY }, expires: NOW + 25 * HOUR })
    expect(names()).toEqual([`${KEY}.json`])
  })

  test('does not take that of another, but when its time has passed', () => {
    acquire(1)
    expect(() => acquire(2, NOW + 24 * HOUR - 1)).toThrow(StoreError)
    expect(acquire(2, NOW + 24 * HOUR)).toMatchObject({ lease: { key: KEY, publicIP: '192.0.2.2' } })
    expect(fileOf()['PublicIP']).toBe('192.0.2.2')
  })

  test('does not take a subnet whose file does not decode', () => {
    writeFileSync(pathOf(), '{')
    expect(() => acquire(1)).toThrow('no subnet is free in "10.5.0.0/16": 1 are taken')
  })

  test('leaves a lease without an end without one, and does not write what it says already', () => {
    writeStatic(1)
    const before = statSync(pathOf()).ino
    expect(acquire(1)).not.toHaveProperty('expires')
    expect(statSync(pathOf()).ino).toBe(before)
    expect(readdirSync(folder)).toEqual(['subnets'])
  })

  test('writes into a lease without an end what has changed', () => {
    writeStatic(1)
    expect(acquireInFolder(folder, claimOf(1, '0e:00:00:00:00:99'), CONF, NOW)).not.toHaveProperty('expires')
    expect(fileOf()).toEqual({
      PublicIP: '192.0.2.1',
      PublicIPv6: null,
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: '0e:00:00:00:00:99' },
    })
  })

  test('replaces a lease of its own that does not fit the network', () => {
    writeStatic(1, '10.9.1.0-24')
    expect(acquire(1)).toMatchObject({ lease: { key: KEY } })
    expect(names()).toEqual([`${KEY}.json`])
  })

  test('clears away drafts of writers that were killed', () => {
    writeFileSync(`${folder}/subnets/.draft-1-2-3`, '{')
    acquire(1)
    expect(names()).toEqual([`${KEY}.json`])
  })

  test('makes the folder when it is missing', () => {
    rmSync(folder, { recursive: true })
    expect(acquire(1)).toMatchObject({ lease: { key: KEY } })
  })
})

describe('renewInFolder()', () => {
  const renew = (own: OwnLease, claim: Claim, now: number): OwnLease => renewInFolder(folder, own, claim, now)

  test('gives another day, and writes what the claim says now', () => {
    const own = renew(acquire(1), claimOf(1, '0e:00:00:00:00:99'), NOW + 23 * HOUR)
    expect(own).toMatchObject({ lease: { key: KEY }, expires: NOW + 47 * HOUR })
    expect(fileOf()).toMatchObject({
      BackendData: { VtepMAC: '0e:00:00:00:00:99' },
      Expiration: '2026-11-23T09:00:00.000Z',
    })
  })

  test('keeps the subnet of a node whose address is another one now', () => {
    expect(renew(acquire(1), claimOf(2), NOW)).toMatchObject({ lease: { key: KEY, publicIP: '192.0.2.2' } })
    expect(fileOf()).toMatchObject({ PublicIP: '192.0.2.2' })
  })

  test('revives one whose time has passed and that nobody has taken', () => {
    expect(renew(acquire(1), claimOf(1), NOW + 30 * HOUR)).toMatchObject({ expires: NOW + 54 * HOUR })
  })

  test('leaves one without an end without one', () => {
    writeStatic(1)
    const before = statSync(pathOf()).ino
    expect(renew(acquire(1), claimOf(1), NOW)).not.toHaveProperty('expires')
    expect(statSync(pathOf()).ino).toBe(before)
  })

  test.for<[name: string, spoil: () => void, why: string]>([
    ['it is removed', () => rmSync(pathOf()), 'has been removed'],
    ["it is another's", () => writeStatic(7), 'is now that of 192.0.2.7'],
    ['it does not decode', () => writeFileSync(pathOf(), 'x'), 'is one no more'],
  ])('throws LeaseLost when %s', ([, spoil, why]) => {
    const own = acquire(1)
    spoil()
    expect(() => renew(own, claimOf(1), NOW)).toThrow(LeaseLost)
    expect(() => renew(own, claimOf(1), NOW)).toThrow(why)
  })
})

test('processes that ask at once get a subnet each, until none is left', async () => {
  writeFileSync(
    `${folder}/ask.ts`,
    `import { acquireInFolder } from '${import.meta.dirname}/folder-allocation.ts'
     import { parseNetConf } from '${import.meta.dirname}/net-conf.ts'
     const conf = parseNetConf('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.29.0"}')
     const from = Number(process.argv[2])
     while (Date.now() < Number(process.argv[3])) {}
     for (let n = from; n < from + 6; n++) {
       const claim = { publicIP: '192.0.2.' + n, backendType: 'host-gw', data: {}, v6Data: {}, previous: [] }
       try { console.log(acquireInFolder('${folder}', claim, conf).lease.key) } catch (error) { console.log(error.message) }
     }`,
  )
  const start = String(Date.now() + 2000)
  const ask = (from: number): Promise<{ readonly stdout: string }> =>
    promisify(execFile)(process.execPath, ['--import', 'tsx', `${folder}/ask.ts`, String(from), start])
  const answers = (await Promise.all([1, 11, 21, 31].map(ask))).flatMap(({ stdout }) => stdout.trim().split('\n'))
  const keys = answers.filter((answer) => answer.startsWith('10.5.'))
  expect(new Set(keys).size).toBe(20)
  expect(keys).toHaveLength(20)
  expect(answers.filter((answer) => answer.startsWith('no subnet is free'))).toHaveLength(4)
  expect(names()).toHaveLength(20)
})
