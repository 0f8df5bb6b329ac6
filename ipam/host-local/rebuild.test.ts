/** Reservations of an earlier boot. */
import { statSync, utimesSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cleanUp } from '../../test/support/cleanup.ts'
import { DUAL, firstOf, machineOf, makeIpam, SMALL } from '../../test/support/ipam.ts'

afterAll(cleanUp)

const BOOT_A = 'a'.repeat(32)
const BOOT_B = 'b'.repeat(32)
const boot = (id: string, rest = {}) => machineOf({ bootId: () => id, machineId: () => '1'.repeat(32), ...rest })

test('after a reboot everything reserved before it is free, by any verb', () => {
  const bed = makeIpam(DUAL, boot(BOOT_A))
  for (const id of ['a', 'b', 'c']) bed.add(id)
  const next = bed.with(boot(BOOT_B))
  next.status()
  expect(bed.reserved()).toEqual([])
  // the same container, restarted by the runtime without a DEL
  expect(firstOf(next.add('b'))).toBe('10.1.0.5/29')
})

test('after a reboot an address asked for is free again', () => {
  const bed = makeIpam(SMALL, boot(BOOT_A))
  bed.add('a', { args: { IP: '10.1.0.4' } })
  expect(firstOf(bed.with(boot(BOOT_B)).add('b', { args: { IP: '10.1.0.4' } }))).toBe('10.1.0.4/29')
})

test('what upstream wrote is reclaimed by its time, or once a boot it was seen in has ended', () => {
  const bed = makeIpam(SMALL, boot(BOOT_A))
  bed.add('a')
  bed.put('10.1.0.3', 'old\r\neth0')
  bed.put('10.1.0.4', 'new\r\neth0')
  utimesSync(`${bed.folder}/10.1.0.3`, 1000, 1000)
  const next = bed.with(boot(BOOT_B, { bootTime: () => 2_000_000 }))
  next.add('b')
  expect(bed.reserved()).toEqual(['10.1.0.3', '10.1.0.4'])
  expect([bed.text('10.1.0.3'), bed.text('10.1.0.4')]).toEqual(['b\r\neth0', 'new\r\neth0'])
  bed.with(boot('c'.repeat(32))).status()
  expect(bed.reserved()).toEqual([])
})

test('on a shared file system only this machine’s own are reclaimed', () => {
  const shared = { isLocal: () => false, bootTime: () => Date.now() + 1e6 }
  const bed = makeIpam(SMALL, boot(BOOT_A, shared))
  bed.add('mine')
  bed.with(boot(BOOT_A, { ...shared, machineId: () => '2'.repeat(32) })).add('other')
  bed.put('10.1.0.6', 'upstream\r\neth0')
  bed.with(boot(BOOT_B, shared)).status()
  expect(bed.reserved()).toEqual(['10.1.0.3', '10.1.0.6'])
})

test('on a shared file system the index is not believed', () => {
  const bed = makeIpam(SMALL, boot(BOOT_A, { isLocal: () => false }))
  bed.add('a')
  const { mtimeMs } = statSync(bed.folder)
  bed.put('10.1.0.3', 'b\r\neth0')
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000) // as if the change of another node did not show yet
  expect(firstOf(bed.add('c'))).toBe('10.1.0.4/29')
})

test('when the boot cannot be told nothing is reclaimed', () => {
  const bed = makeIpam(SMALL, boot(BOOT_A))
  bed.add('a')
  const lost = bed.with(boot('', { bootTime: () => Date.now() + 1e6 }))
  expect(firstOf(lost.add('b'))).toBe('10.1.0.3/29')
  lost.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})
