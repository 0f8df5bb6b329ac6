/** The index, damaged or led astray: a hint and no more. */
import { readFileSync, rmSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cleanUp } from '../../test/support/cleanup.ts'
import { cniError, DUAL, firstOf, makeIpam, SMALL } from '../../test/support/ipam.ts'
import { decodeHeader, encodeHeader } from './header.ts'

afterAll(cleanUp)

/** Makes the index of `folder` say that all files were last read two minutes ago. */
const age = (folder: string): void => {
  const bytes = readFileSync(`${folder}/owners`)
  const header = decodeHeader(bytes)
  if (header === undefined) throw new Error('no header')
  bytes.set(encodeHeader({ ...header, walked: header.walked - 120 }))
  writeFileSync(`${folder}/owners`, bytes)
}

test('losing the index, or all of it but a part, loses nothing', () => {
  const bed = makeIpam(DUAL)
  const damages: readonly (() => void)[] = [
    () => rmSync(`${bed.dataDir}/.podwire`, { recursive: true }),
    () => rmSync(`${bed.index}/owners`),
    () => truncateSync(`${bed.index}/owners`, 100),
    () => truncateSync(`${bed.index}/owners`, 0),
    () => writeFileSync(`${bed.index}/owners`, 'x'.repeat(9000)),
    () => writeFileSync(`${bed.index}/draft`, 'left\r\neth0'),
    () => writeFileSync(`${bed.index}/owners.new`, 'left'),
  ]
  for (const [i, damage] of damages.entries()) {
    bed.add(`keep${i % 2}`)
    damage()
    bed.add('probe')
    bed.del('probe')
    bed.del(`keep${i % 2}`)
    expect(bed.reserved()).toEqual([])
  }
})

test('a change that escaped the index shows when the pool seems exhausted, a minute after the last look', () => {
  const bed = makeIpam(SMALL)
  for (const id of ['a', 'b', 'c', 'd', 'e']) bed.add(id)
  const { mtimeMs } = statSync(bed.folder)
  unlinkSync(`${bed.folder}/10.1.0.4`) // by hand, while another ADD held the lock: its stamp hides it
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000)
  expect(() => bed.add('f')).toThrow(cniError(101))
  age(bed.index)
  expect(firstOf(bed.add('f'))).toBe('10.1.0.4/29')
})

test('a file that escaped the index is not overwritten: another address is given', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  const { mtimeMs } = statSync(bed.folder)
  bed.put('10.1.0.3', 'b\r\neth0')
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000)
  expect(firstOf(bed.add('c'))).toBe('10.1.0.4/29')
  expect(bed.text('10.1.0.3')).toBe('b\r\neth0')
  bed.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4'])
})

test('many addresses of one owner, as a hand-made block of them, do not spoil the index', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/16' }]] })
  bed.add('a')
  for (let i = 3; i < 253; i++) bed.put(`10.1.0.${i}`, 'blocked')
  expect(firstOf(bed.add('b'))).toBe('10.1.0.253/16')
  for (let i = 0; i < 100; i++) bed.add(`c${i}`)
  bed.del('blocked', { ifName: 'eth0' })
  expect(bed.reserved()).toHaveLength(102)
})
