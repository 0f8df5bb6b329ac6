import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import type { Result } from '../../cni/result.ts'
import { addon, LOCK_EX } from '../../native/addon.ts'
import { cleanUp, makeFolder } from '../../test/support/cleanup.ts'
import { callOf, machineOf, makeIpam } from '../../test/support/ipam.ts'
import { decodeHeader, encodeHeader } from './header.ts'
import { hostLocalOn } from './main.ts'

afterAll(cleanUp)

const small = { ranges: [[{ subnet: '10.1.0.0/29' }]] }
const dual = { ranges: [[{ subnet: '10.1.0.0/29' }], [{ subnet: 'fd00::/125' }]] }
/** Makes the index of `folder` say that all files were last read two minutes ago. */
const age = (folder: string): void => {
  const bytes = readFileSync(`${folder}/owners`)
  const header = decodeHeader(bytes)
  if (header === undefined) throw new Error('no header')
  bytes.set(encodeHeader({ ...header, walked: header.walked - 120 }))
  writeFileSync(`${folder}/owners`, bytes)
}

const one = (result: Result): string | undefined => result.ips?.[0]?.address

const error = (code: number, ...parts: readonly string[]) =>
  expect.objectContaining({ name: 'CniError', code, message: expect.stringMatching(parts.join('.*')) })

test('ADD reserves in upstream’s format: owner, CRLF, interface; and the last address of each set', () => {
  const bed = makeIpam(dual)
  expect(bed.add('c1')).toEqual({
    ips: [
      { address: '10.1.0.2/29', gateway: '10.1.0.1' },
      { address: 'fd00::2/125', gateway: 'fd00::1' },
    ],
  })
  expect(readdirSync(bed.folder).sort()).toEqual([
    '10.1.0.2',
    'fd00::2',
    'last_reserved_ip.0',
    'last_reserved_ip.1',
    'lock',
  ])
  expect(bed.text('10.1.0.2')).toBe('c1\r\neth0')
  expect(bed.text('fd00::2')).toBe('c1\r\neth0')
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.2')
  expect(bed.text('last_reserved_ip.1')).toBe('fd00::2')
})

test('ADD goes round, and DEL gives back', () => {
  const bed = makeIpam(small)
  expect(['a', 'b', 'c'].map((id) => one(bed.add(id)))).toEqual(['10.1.0.2/29', '10.1.0.3/29', '10.1.0.4/29'])
  bed.del('a')
  expect(['d', 'e', 'f'].map((id) => one(bed.add(id)))).toEqual(['10.1.0.5/29', '10.1.0.6/29', '10.1.0.2/29'])
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.2')
  expect(() => bed.add('g')).toThrow(error(101, 'range set 0', '10.1.0.1-10.1.0.6', '5'))
  bed.del('e')
  expect(one(bed.add('g'))).toBe('10.1.0.6/29')
})

test('a longer last address leaves nothing behind in the file of a shorter one', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.9', rangeEnd: '10.1.0.10' }]] })
  const last = ['a', 'b'].map((id) => [one(bed.add(id)), bed.text('last_reserved_ip.0')])
  bed.del('a')
  bed.add('c')
  expect(last).toEqual([
    ['10.1.0.9/24', '10.1.0.9'],
    ['10.1.0.10/24', '10.1.0.10'],
  ])
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.9')
})

test('all or nothing: a set without a free address leaves no reservation in the others', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/29' }], [{ subnet: '10.2.0.0/30' }]] })
  bed.add('a')
  expect(() => bed.add('b')).toThrow(error(101, 'range set 1'))
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.2.0.2'])
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.2')
})

test('the attachments of one container are apart', () => {
  const bed = makeIpam(small)
  bed.add('a')
  bed.add('a', { ifName: 'net1' })
  bed.del('a', { ifName: 'net1' })
  expect(bed.reserved()).toEqual(['10.1.0.2'])
  expect(bed.text('10.1.0.2')).toBe('a\r\neth0')
})

test('a second ADD of an attachment is refused, also when it asks for an address', () => {
  const bed = makeIpam(small)
  bed.add('a')
  expect(() => bed.add('a')).toThrow(error(103, 'interface eth0 of container a', '10.1.0.2'))
  expect(() => bed.add('a', { args: { IP: '10.1.0.4' } })).toThrow(error(103, '10.1.0.2'))
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('an address asked for is given, refused to the next with the holder’s name, and given after DEL', () => {
  const bed = makeIpam(dual)
  expect(bed.add('a', { args: { IP: '10.1.0.5' } }).ips?.map(({ address }) => address)).toEqual([
    '10.1.0.5/29',
    'fd00::2/125',
  ])
  expect(() => bed.add('b', { args: { IP: '10.1.0.5' } })).toThrow(
    error(103, '10.1.0.5', 'held by interface eth0 of container a'),
  )
  expect(bed.reserved()).toEqual(['10.1.0.5', 'fd00::2'])
  bed.del('a')
  expect(one(bed.add('b', { args: { IP: '10.1.0.5' } }))).toBe('10.1.0.5/29')
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.5')
})

test('addresses that cannot all be given reserve nothing', () => {
  const bed = makeIpam(small)
  expect(() => bed.add('a', { args: { IP: '10.9.0.1' } })).toThrow(error(7, '10.9.0.1'))
  expect(() => bed.add('a', { args: { IP: '10.1.0.1' } })).toThrow(error(7, '10.1.0.1', 'gateway'))
  expect(bed.reserved()).toEqual([])
})

test('DEL succeeds again and again, without the folder, and makes none', () => {
  const bed = makeIpam(small)
  bed.del('a')
  expect(existsSync(bed.folder)).toBe(false)
  expect(readdirSync(bed.dataDir)).toEqual([])
  bed.add('a')
  bed.del('a')
  bed.del('a')
  expect(bed.reserved()).toEqual([])
  rmSync(bed.folder, { recursive: true })
  bed.del('a')
  expect(one(bed.add('a'))).toBe('10.1.0.2/29')
})

test('DEL releases by owner whatever the ranges are by now', () => {
  const bed = makeIpam(dual)
  bed.add('a')
  bed.with(machineOf(), { ranges: [[{ subnet: 'nonsense' }]] }).del('a')
  expect(bed.reserved()).toEqual([])
})

test('DEL of another network leaves this one alone', () => {
  const bed = makeIpam(small)
  bed.add('a')
  const plugin = hostLocalOn(machineOf())
  const call = callOf('DEL', 'a', { name: 'other', ipam: { dataDir: bed.dataDir } })
  plugin.del(plugin.parse(call), call)
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('what upstream wrote counts, is found by its owner and is released', () => {
  const bed = makeIpam(small)
  bed.add('a')
  bed.put('10.1.0.3', 'b\r\neth0')
  bed.put('last_reserved_ip.0', '10.1.0.3')
  expect(one(bed.add('c'))).toBe('10.1.0.4/29')
  expect(() => bed.add('b')).toThrow(error(103, '10.1.0.3'))
  bed.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4'])
})

test('what upstream released is free', () => {
  const bed = makeIpam(small)
  for (const id of ['a', 'b', 'c', 'd', 'e']) bed.add(id)
  unlinkSync(`${bed.folder}/10.1.0.4`)
  expect(one(bed.add('f'))).toBe('10.1.0.4/29')
})

test('the old format stands for every interface of its container, and goes after the new one', () => {
  const bed = makeIpam(small)
  bed.add('x')
  bed.put('10.1.0.3', 'a\n')
  bed.put('10.1.0.4', 'a\r\neth0')
  expect(() => bed.add('a', { ifName: 'net1' })).toThrow(error(103, '10.1.0.3'))
  bed.del('a')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.3'])
  bed.del('a')
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('an empty reservation, left by a crash of upstream, is free', () => {
  const bed = makeIpam(small)
  bed.add('a')
  bed.put('10.1.0.3', '')
  expect(one(bed.add('b'))).toBe('10.1.0.3/29')
  bed.put('10.1.0.5', '')
  expect(one(bed.add('c', { args: { IP: '10.1.0.5' } }))).toBe('10.1.0.5/29')
})

test('files that are no reservations are left alone', () => {
  const bed = makeIpam(small)
  bed.add('a')
  for (const name of ['notes', '10.1.0.03', '10.1.0', '.10.1.0.4', '10.1.0.4~']) bed.put(name, 'a\r\neth0')
  bed.gc()
  expect(readdirSync(bed.folder).sort()).toEqual(
    ['.10.1.0.4', '10.1.0', '10.1.0.03', '10.1.0.4~', 'last_reserved_ip.0', 'lock', 'notes'].sort(),
  )
})

test('losing the index, or all of it but a part, loses nothing', () => {
  const bed = makeIpam(dual)
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

test('CHECK wants every address of prevResult that is of the ranges reserved by this very attachment', () => {
  const bed = makeIpam(dual)
  const result = bed.add('a')
  const other = bed.add('b')
  bed.check('a', { ...result, ips: [...(result.ips ?? []), { address: '192.0.2.1/24' as never }] })
  expect(() => bed.check('a', other)).toThrow(error(100, '10.1.0.3', 'not reserved for this attachment', 'b'))
  expect(() => bed.check('a', result, { ifName: 'net1' })).toThrow(error(100, '10.1.0.2'))
  expect(() => bed.check('a', { ips: [{ address: '192.0.2.1/24' as never }] })).toThrow(error(100, '192.0.2.1'))
  unlinkSync(`${bed.folder}/fd00::2`)
  expect(() => bed.check('a', result)).toThrow(error(100, 'fd00::2', 'missing'))
})

test('CHECK takes the old format for the attachment’s', () => {
  const bed = makeIpam(small)
  const result = bed.add('a')
  bed.put('10.1.0.2', 'a')
  bed.check('a', result)
})

test('GC releases what is not valid, keeps what is, and no index survives it wrong', () => {
  const bed = makeIpam(dual)
  for (const id of ['a', 'b', 'c']) bed.add(id)
  bed.put('10.1.0.6', 'a')
  bed.put('fd00::7', 'gone')
  bed.gc('a', 'c')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4', '10.1.0.6', 'fd00::2', 'fd00::4'])
  expect(one(bed.add('b'))).toBe('10.1.0.5/29')
  bed.gc()
  expect(bed.reserved()).toEqual([])
  expect(() => makeIpam(small).gc()).not.toThrow()
})

test('STATUS fails with 50 once a range set is exhausted, and passes again', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: '10.2.0.0/30' }]] })
  bed.status()
  expect(existsSync(bed.folder)).toBe(false)
  bed.add('a')
  expect(() => bed.status()).toThrow(error(50, 'range set 1'))
  bed.del('a')
  bed.status()
})

test('preview names the addresses ADD would give next, and changes nothing', () => {
  const bed = makeIpam(dual)
  const plugin = hostLocalOn(machineOf())
  const preview = () => {
    const call = callOf('ADD', 'p', { ipam: { dataDir: bed.dataDir, ...dual } })
    return plugin.preview?.(plugin.parse(call), call).result
  }
  const first = preview()
  expect(existsSync(bed.folder)).toBe(false)
  expect(bed.add('a')).toEqual(first)
  const second = preview()
  expect(bed.add('b')).toEqual(second)
})

test('resolvConf becomes dns', () => {
  const file = `${makeFolder('resolv')}/resolv.conf`
  writeFileSync(file, 'nameserver 192.0.2.1\nsearch x.example\n')
  expect(makeIpam({ ...small, resolvConf: file }).add('a').dns).toEqual({
    nameservers: ['192.0.2.1'],
    search: ['x.example'],
    options: [],
  })
  const bed = makeIpam({ ...small, resolvConf: '/no/such/file' })
  expect(() => bed.add('a')).toThrow(error(5, '/no/such/file'))
  expect(existsSync(bed.folder)).toBe(false)
})

const elsewhere = () => makeFolder('elsewhere')

test('a symbolic link in place of the network’s folder is refused, and nothing appears behind it', () => {
  const bed = makeIpam(small)
  const target = elsewhere()
  symlinkSync(target, bed.folder)
  for (const use of [() => bed.add('a'), () => bed.del('a'), () => bed.gc()])
    expect(use).toThrow(error(5, bed.folder, 'symbolic link'))
  expect(() => bed.status()).toThrow(error(50, 'symbolic link'))
  expect(() => bed.check('a', { ips: [{ address: '10.1.0.2/29' as never }] })).toThrow(error(5, 'symbolic link'))
  expect(readdirSync(target)).toEqual([])
})

test.each(['.podwire', '.podwire/pods'])('a symbolic link in place of %s is refused', (name) => {
  const bed = makeIpam(small)
  const target = elsewhere()
  if (name.includes('/')) mkdirSync(`${bed.dataDir}/.podwire`)
  symlinkSync(target, `${bed.dataDir}/${name}`)
  expect(() => bed.add('a')).toThrow(error(5, name, 'symbolic link'))
  expect(readdirSync(target)).toEqual([])
})

test.each(['lock', 'last_reserved_ip.0'])('a symbolic link in place of %s is not followed', (name) => {
  const bed = makeIpam(small)
  const target = `${elsewhere()}/file`
  writeFileSync(target, 'theirs')
  mkdirSync(bed.folder)
  symlinkSync(target, `${bed.folder}/${name}`)
  expect(() => bed.add('a')).toThrow(error(5, 'ELOOP'))
  expect(bed.reserved()).toEqual([])
})

test('a symbolic link or a folder named by an address is nobody’s: never given, followed or removed', () => {
  const bed = makeIpam(small)
  const target = `${elsewhere()}/file`
  writeFileSync(target, 'a\r\neth0')
  mkdirSync(bed.folder)
  symlinkSync(target, `${bed.folder}/10.1.0.2`)
  mkdirSync(`${bed.folder}/10.1.0.3`)
  expect(one(bed.add('a'))).toBe('10.1.0.4/29')
  expect(() => bed.add('b', { args: { IP: '10.1.0.2' } })).toThrow(error(103, '10.1.0.2', 'no file'))
  bed.del('a')
  bed.gc()
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.3'])
  expect(lstatSync(`${bed.folder}/10.1.0.2`).isSymbolicLink()).toBe(true)
})

test.each(['..', '.podwire', 'a/b', '', 'a\0b', '.'])('the network name %j never becomes a path', (name) => {
  const dataDir = makeFolder('names')
  const plugin = hostLocalOn(machineOf())
  const call = callOf('ADD', 'a', { name, ipam: { dataDir, ...small } })
  expect(() => plugin.add(plugin.parse(call), call)).toThrow(error(7, 'network name'))
  expect(readdirSync(dataDir)).toEqual([])
})

test('a data folder that cannot be is an error with its path', () => {
  const file = `${elsewhere()}/file`
  writeFileSync(file, '')
  const bed = makeIpam({ ...small }, machineOf(), file)
  expect(() => bed.add('a')).toThrow(error(5, file, 'ENOTDIR'))
  expect(() => bed.status()).toThrow(error(50, file))
  const proc = makeIpam(small, machineOf(), '/proc/nope')
  expect(() => proc.add('a')).toThrow(error(5, '/proc/nope'))
})

const BOOT_A = 'a'.repeat(32)
const BOOT_B = 'b'.repeat(32)
const boot = (id: string, rest = {}) => machineOf({ bootId: () => id, machineId: () => '1'.repeat(32), ...rest })

test('after a reboot everything reserved before it is free, by any verb', () => {
  const bed = makeIpam(dual, boot(BOOT_A))
  for (const id of ['a', 'b', 'c']) bed.add(id)
  const next = bed.with(boot(BOOT_B))
  next.status()
  expect(bed.reserved()).toEqual([])
  // the same container, restarted by the runtime without a DEL
  expect(one(next.add('b'))).toBe('10.1.0.5/29')
})

test('after a reboot an address asked for is free again', () => {
  const bed = makeIpam(small, boot(BOOT_A))
  bed.add('a', { args: { IP: '10.1.0.4' } })
  expect(one(bed.with(boot(BOOT_B)).add('b', { args: { IP: '10.1.0.4' } }))).toBe('10.1.0.4/29')
})

test('what upstream wrote is reclaimed by its time, or once a boot it was seen in has ended', () => {
  const bed = makeIpam(small, boot(BOOT_A))
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
  const bed = makeIpam(small, boot(BOOT_A, shared))
  bed.add('mine')
  bed.with(boot(BOOT_A, { ...shared, machineId: () => '2'.repeat(32) })).add('other')
  bed.put('10.1.0.6', 'upstream\r\neth0')
  bed.with(boot(BOOT_B, shared)).status()
  expect(bed.reserved()).toEqual(['10.1.0.3', '10.1.0.6'])
})

test('on a shared file system the index is not believed', () => {
  const bed = makeIpam(small, boot(BOOT_A, { isLocal: () => false }))
  bed.add('a')
  const { mtimeMs } = statSync(bed.folder)
  bed.put('10.1.0.3', 'b\r\neth0')
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000) // as if the change of another node did not show yet
  expect(one(bed.add('c'))).toBe('10.1.0.4/29')
})

test('when the boot cannot be told nothing is reclaimed', () => {
  const bed = makeIpam(small, boot(BOOT_A))
  bed.add('a')
  const lost = bed.with(boot('', { bootTime: () => Date.now() + 1e6 }))
  expect(one(lost.add('b'))).toBe('10.1.0.3/29')
  lost.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('a change that escaped the index shows when the pool seems exhausted, a minute after the last look', () => {
  const bed = makeIpam(small)
  for (const id of ['a', 'b', 'c', 'd', 'e']) bed.add(id)
  const { mtimeMs } = statSync(bed.folder)
  unlinkSync(`${bed.folder}/10.1.0.4`) // by hand, while another ADD held the lock: its stamp hides it
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000)
  expect(() => bed.add('f')).toThrow(error(101))
  age(bed.index)
  expect(one(bed.add('f'))).toBe('10.1.0.4/29')
})

test('a file that escaped the index is not overwritten: another address is given', () => {
  const bed = makeIpam(small)
  bed.add('a')
  const { mtimeMs } = statSync(bed.folder)
  bed.put('10.1.0.3', 'b\r\neth0')
  utimesSync(bed.folder, mtimeMs / 1000, mtimeMs / 1000)
  expect(one(bed.add('c'))).toBe('10.1.0.4/29')
  expect(bed.text('10.1.0.3')).toBe('b\r\neth0')
  bed.del('b')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4'])
})

test('many addresses of one owner, as a hand-made block of them, do not spoil the index', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/16' }]] })
  bed.add('a')
  for (let i = 3; i < 253; i++) bed.put(`10.1.0.${i}`, 'blocked')
  expect(one(bed.add('b'))).toBe('10.1.0.253/16')
  for (let i = 0; i < 100; i++) bed.add(`c${i}`)
  bed.del('blocked', { ifName: 'eth0' })
  expect(bed.reserved()).toHaveLength(102)
})

test('the lock is waited for, and who holds it is named when it does not come', () => {
  const bed = makeIpam(small, machineOf({ patience: 60 }))
  bed.add('a')
  const fd = openSync(`${bed.folder}/lock`, 'r')
  addon().flock(fd, LOCK_EX)
  try {
    expect(() => bed.add('b')).toThrow(expect.objectContaining({ code: 11, details: `held by process ${process.pid}` }))
    expect(() => bed.del('a')).toThrow(error(11, 'lock'))
  } finally {
    closeSync(fd)
  }
  expect(one(bed.add('b'))).toBe('10.1.0.3/29')
})
