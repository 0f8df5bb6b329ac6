/** The verbs, on real files. */
import { existsSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cleanUp, makeFolder } from '../../test/support/cleanup.ts'
import { callOf, cniError, DUAL, firstOf, machineOf, makeIpam, SMALL } from '../../test/support/ipam.ts'
import { hostLocalOn } from './main.ts'

afterAll(cleanUp)

test('ADD reserves in upstream’s format: owner, CRLF, interface; and the last address of each set', () => {
  const bed = makeIpam(DUAL)
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
  const bed = makeIpam(SMALL)
  expect(['a', 'b', 'c'].map((id) => firstOf(bed.add(id)))).toEqual(['10.1.0.2/29', '10.1.0.3/29', '10.1.0.4/29'])
  bed.del('a')
  expect(['d', 'e', 'f'].map((id) => firstOf(bed.add(id)))).toEqual(['10.1.0.5/29', '10.1.0.6/29', '10.1.0.2/29'])
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.2')
  expect(() => bed.add('g')).toThrow(cniError(101, 'range set 0', '10.1.0.1-10.1.0.6', '5'))
  bed.del('e')
  expect(firstOf(bed.add('g'))).toBe('10.1.0.6/29')
})

test('a longer last address leaves nothing behind in the file of a shorter one', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.9', rangeEnd: '10.1.0.10' }]] })
  const last = ['a', 'b'].map((id) => [firstOf(bed.add(id)), bed.text('last_reserved_ip.0')])
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
  expect(() => bed.add('b')).toThrow(cniError(101, 'range set 1'))
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.2.0.2'])
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.2')
})

test('the attachments of one container are apart', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  bed.add('a', { ifName: 'net1' })
  bed.del('a', { ifName: 'net1' })
  expect(bed.reserved()).toEqual(['10.1.0.2'])
  expect(bed.text('10.1.0.2')).toBe('a\r\neth0')
})

test('a second ADD of an attachment is refused, also when it asks for an address', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  expect(() => bed.add('a')).toThrow(cniError(103, 'interface eth0 of container a', '10.1.0.2'))
  expect(() => bed.add('a', { args: { IP: '10.1.0.4' } })).toThrow(cniError(103, '10.1.0.2'))
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('an address asked for is given, refused to the next with the holder’s name, and given after DEL', () => {
  const bed = makeIpam(DUAL)
  expect(bed.add('a', { args: { IP: '10.1.0.5' } }).ips?.map(({ address }) => address)).toEqual([
    '10.1.0.5/29',
    'fd00::2/125',
  ])
  expect(() => bed.add('b', { args: { IP: '10.1.0.5' } })).toThrow(
    cniError(103, '10.1.0.5', 'held by interface eth0 of container a'),
  )
  expect(bed.reserved()).toEqual(['10.1.0.5', 'fd00::2'])
  bed.del('a')
  expect(firstOf(bed.add('b', { args: { IP: '10.1.0.5' } }))).toBe('10.1.0.5/29')
  expect(bed.text('last_reserved_ip.0')).toBe('10.1.0.5')
})

test('addresses that cannot all be given reserve nothing', () => {
  const bed = makeIpam(SMALL)
  expect(() => bed.add('a', { args: { IP: '10.9.0.1' } })).toThrow(cniError(7, '10.9.0.1'))
  expect(() => bed.add('a', { args: { IP: '10.1.0.1' } })).toThrow(cniError(7, '10.1.0.1', 'gateway'))
  expect(bed.reserved()).toEqual([])
})

test('DEL succeeds again and again, without the folder, and makes none', () => {
  const bed = makeIpam(SMALL)
  bed.del('a')
  expect(existsSync(bed.folder)).toBe(false)
  expect(readdirSync(bed.dataDir)).toEqual([])
  bed.add('a')
  bed.del('a')
  bed.del('a')
  expect(bed.reserved()).toEqual([])
  rmSync(bed.folder, { recursive: true })
  bed.del('a')
  expect(firstOf(bed.add('a'))).toBe('10.1.0.2/29')
})

test('DEL releases by owner whatever the ranges are by now', () => {
  const bed = makeIpam(DUAL)
  bed.add('a')
  bed.with(machineOf(), { ranges: [[{ subnet: 'nonsense' }]] }).del('a')
  expect(bed.reserved()).toEqual([])
})

test('DEL of another network leaves this one alone', () => {
  const bed = makeIpam(SMALL)
  bed.add('a')
  const plugin = hostLocalOn(machineOf())
  const call = callOf('DEL', 'a', { name: 'other', ipam: { dataDir: bed.dataDir } })
  plugin.del(plugin.parse(call), call)
  expect(bed.reserved()).toEqual(['10.1.0.2'])
})

test('CHECK wants every address of prevResult that is of the ranges reserved by this very attachment', () => {
  const bed = makeIpam(DUAL)
  const result = bed.add('a')
  const other = bed.add('b')
  bed.check('a', { ...result, ips: [...(result.ips ?? []), { address: '192.0.2.1/24' as never }] })
  expect(() => bed.check('a', other)).toThrow(cniError(100, '10.1.0.3', 'not reserved for this attachment', 'b'))
  expect(() => bed.check('a', result, { ifName: 'net1' })).toThrow(cniError(100, '10.1.0.2'))
  expect(() => bed.check('a', { ips: [{ address: '192.0.2.1/24' as never }] })).toThrow(cniError(100, '192.0.2.1'))
  unlinkSync(`${bed.folder}/fd00::2`)
  expect(() => bed.check('a', result)).toThrow(cniError(100, 'fd00::2', 'missing'))
})

test('CHECK takes the old format for the attachment’s', () => {
  const bed = makeIpam(SMALL)
  const result = bed.add('a')
  bed.put('10.1.0.2', 'a')
  bed.check('a', result)
})

test('GC releases what is not valid, keeps what is, and no index survives it wrong', () => {
  const bed = makeIpam(DUAL)
  for (const id of ['a', 'b', 'c']) bed.add(id)
  bed.put('10.1.0.6', 'a')
  bed.put('fd00::7', 'gone')
  bed.gc('a', 'c')
  expect(bed.reserved()).toEqual(['10.1.0.2', '10.1.0.4', '10.1.0.6', 'fd00::2', 'fd00::4'])
  expect(firstOf(bed.add('b'))).toBe('10.1.0.5/29')
  bed.gc()
  expect(bed.reserved()).toEqual([])
  expect(() => makeIpam(SMALL).gc()).not.toThrow()
})

test('STATUS fails with 50 once a range set is exhausted, and passes again', () => {
  const bed = makeIpam({ ranges: [[{ subnet: '10.1.0.0/16' }], [{ subnet: '10.2.0.0/30' }]] })
  bed.status()
  expect(existsSync(bed.folder)).toBe(false)
  bed.add('a')
  expect(() => bed.status()).toThrow(cniError(50, 'range set 1'))
  bed.del('a')
  bed.status()
})

test('preview names the addresses ADD would give next, and changes nothing', () => {
  const bed = makeIpam(DUAL)
  const plugin = hostLocalOn(machineOf())
  const preview = () => {
    const call = callOf('ADD', 'p', { ipam: { dataDir: bed.dataDir, ...DUAL } })
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
  expect(makeIpam({ ...SMALL, resolvConf: file }).add('a').dns).toEqual({
    nameservers: ['192.0.2.1'],
    search: ['x.example'],
    options: [],
  })
  const bed = makeIpam({ ...SMALL, resolvConf: '/no/such/file' })
  expect(() => bed.add('a')).toThrow(cniError(5, '/no/such/file'))
  expect(existsSync(bed.folder)).toBe(false)
})
