/** Nothing outside the network's own directory is touched. */
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cleanUp, makeFolder } from '../../test/support/cleanup.ts'
import { callOf, cniError, firstOf, machineOf, makeIpam, SMALL } from '../../test/support/ipam.ts'
import { hostLocalOn } from './main.ts'

afterAll(cleanUp)

const elsewhere = () => makeFolder('elsewhere')

test('a symbolic link in place of the network’s folder is refused, and nothing appears behind it', () => {
  const bed = makeIpam(SMALL)
  const target = elsewhere()
  symlinkSync(target, bed.folder)
  for (const use of [() => bed.add('a'), () => bed.del('a'), () => bed.gc()])
    expect(use).toThrow(cniError(5, bed.folder, 'symbolic link'))
  expect(() => bed.status()).toThrow(cniError(50, 'symbolic link'))
  expect(() => bed.check('a', { ips: [{ address: '10.1.0.2/29' as never }] })).toThrow(cniError(5, 'symbolic link'))
  expect(readdirSync(target)).toEqual([])
})

test.each(['.podwire', '.podwire/pods'])('a symbolic link in place of %s is refused', (name) => {
  const bed = makeIpam(SMALL)
  const target = elsewhere()
  if (name.includes('/')) mkdirSync(`${bed.dataDir}/.podwire`)
  symlinkSync(target, `${bed.dataDir}/${name}`)
  expect(() => bed.add('a')).toThrow(cniError(5, name, 'symbolic link'))
  expect(readdirSync(target)).toEqual([])
})

test.each(['lock', 'last_reserved_ip.0'])('a symbolic link in place of %s is not followed', (name) => {
  const bed = makeIpam(SMALL)
  const target = `${elsewhere()}/file`
  writeFileSync(target, 'theirs')
  mkdirSync(bed.folder)
  symlinkSync(target, `${bed.folder}/${name}`)
  expect(() => bed.add('a')).toThrow(cniError(5, 'ELOOP'))
  expect(bed.reserved()).toEqual([])
})

test('a symbolic link or a folder named by an address is nobody’s: never given, followed or removed', () => {
  const bed = makeIpam(SMALL)
  const target = `${elsewhere()}/file`
  writeFileSync(target, 'a\r\neth0')
  mkdirSync(bed.folder)
  symlinkSync(target, `${bed.folder}/10.1.0.2`)
  mkdirSync(`${bed.folder}/10.1.0.3`)
  expect(firstOf(bed.add('a'))).toBe('10.1.0.4/29')
  expect(() => bed.add('b', { args: { IP: '10.1.0.2' } })).toThrow(cniError(103, '10.1.0.2', 'no file'))
  bed.del('a')
  bed.gc()
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.3'])
  expect(lstatSync(`${bed.folder}/10.1.0.2`).isSymbolicLink()).toBe(true)
})

test.each(['..', '.podwire', 'a/b', '', 'a\0b', '.'])('the network name %j never becomes a path', (name) => {
  const dataDir = makeFolder('names')
  const plugin = hostLocalOn(machineOf())
  const call = callOf('ADD', 'a', { name, ipam: { dataDir, ...SMALL } })
  expect(() => plugin.add(plugin.parse(call), call)).toThrow(cniError(7, 'network name'))
  expect(readdirSync(dataDir)).toEqual([])
})

test('a data folder that cannot be is an error with its path', () => {
  const file = `${elsewhere()}/file`
  writeFileSync(file, '')
  const bed = makeIpam({ ...SMALL }, machineOf(), file)
  expect(() => bed.add('a')).toThrow(cniError(5, file, 'ENOTDIR'))
  expect(() => bed.status()).toThrow(cniError(50, file))
  const proc = makeIpam(SMALL, machineOf(), '/proc/nope')
  expect(() => proc.add('a')).toThrow(cniError(5, '/proc/nope'))
})
