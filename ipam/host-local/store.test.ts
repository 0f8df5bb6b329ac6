/** Files that others wrote, and the lock. */
import { closeSync, openSync, readdirSync, unlinkSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { addon, LOCK_EX } from '../../native/addon.ts'
import { cleanUp } from '../../test/support/cleanup.ts'
import { cniError, firstOf, machineOf, makeIpam, SMALL } from '../../test/support/ipam.ts'

afterAll(cleanUp)

test('what upstream wrote counts, is found by its owner and is released', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  bed.put('10.1.0.3', 'b\r\neth0')
  bed.put('last_reserved_ip.0', '10.1.0.3')
  expect(firstOf(bed.add('c'))).toBe('10.1.0.4/29')
  expect(() => bed.add('b')).toThrow(cniError(103, '10.1.0.3'))
  bed.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4'])
})

test('what upstream released is free', () => {
  const bed = makeIpam(SMALL)
  for (const id of ['a', 'b', 'c', 'd', 'e']) bed.add(id)
  unlinkSync(`${bed.folder}/10.1.0.4`)
  expect(firstOf(bed.add('f'))).toBe('10.1.0.4/29')
})

test('the old format stands for every interface of its container, and goes after the new one', () => {
  const bed = makeIpam(SMALL)
  bed.add('x')
  bed.put('10.1.0.3', 'a\n')
  bed.put('10.1.0.4', 'a\r\neth0')
  expect(() => bed.add('a', { ifName: 'net1' })).toThrow(cniError(103, '10.1.0.3'))
  bed.del('a')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.3'])
  bed.del('a')
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('an empty reservation, left by a crash of upstream, is free', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  bed.put('10.1.0.3', '')
  expect(firstOf(bed.add('b'))).toBe('10.1.0.3/29')
  bed.put('10.1.0.5', '')
  expect(firstOf(bed.add('c', { args: { IP: '10.1.0.5' } }))).toBe('10.1.0.5/29')
})

test('files that are no reservations are left alone', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  for (const name of ['notes', '10.1.0.03', '10.1.0', '.10.1.0.4', '10.1.0.4~']) bed.put(name, 'a\r\neth0')
  bed.gc()
  expect(readdirSync(bed.folder).sort()).toEqual(
    ['.10.1.0.4', '10.1.0', '10.1.0.03', '10.1.0.4~', 'last_reserved_ip.0', 'lock', 'notes'].sort(),
  )
})

test('the lock is waited for, and who holds it is named when it does not come', () => {
  const bed = makeIpam(SMALL, machineOf({ patience: 60 }))
  bed.add('a')
  const fd = openSync(`${bed.folder}/lock`, 'r')
  addon().flock(fd, LOCK_EX)
  try {
    expect(() => bed.add('b')).toThrow(expect.objectContaining({ code: 11, details: `held by process ${process.pid}` }))
    expect(() => bed.del('a')).toThrow(cniError(11, 'lock'))
  } finally {
    closeSync(fd)
  }
  expect(firstOf(bed.add('b'))).toBe('10.1.0.3/29')
})
