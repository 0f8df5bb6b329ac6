import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import IPCIDR from 'ip-cidr'
import { expect, test } from 'vitest'
import { DecodeError, quote } from './error.ts'
import { familyOf, ipBytes, ipNumber, ipOf, ipOfNumber, parseIp, readIp, widthOf } from './ip.ts'

const accepted: readonly (readonly [text: string, canonical: string])[] = [
  ['0.0.0.0', '0.0.0.0'],
  ['255.255.255.255', '255.255.255.255'],
  ['10.1.2.3', '10.1.2.3'],
  ['::', '::'],
  ['::1', '::1'],
  ['1::', '1::'],
  ['FD00::00AB', 'fd00::ab'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  // RFC 5952 §4.2.2 and §4.2.3: one group is not shortened; the longest run is, the first of equals
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['::1.2.3.4', '::102:304'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::FFFF:a01:203', '10.1.2.3'],
  ['0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
  ['::fffe:10.1.2.3', '::fffe:a01:203'],
]
test.each(accepted)('readIp() reads %j as %j', (text, canonical) => {
  expect(readIp(text)).toBe(canonical)
})

const refused = [
  '',
  ' ',
  '1',
  '1.2.3',
  '1.2.3.4.5',
  '1..2.3',
  '1.2.3.',
  ' 1.2.3.4',
  '1.2.3.4 ',
  '1.2.3.4\n',
  '01.2.3.4',
  '1.2.3.004',
  '256.1.1.1',
  '1.2.3.-4',
  '+1.2.3.4',
  '0x1.2.3.4',
  '1e1.1.1.1',
  '١.2.3.4',
  '1.2.3.4/8',
  ':',
  ':::',
  '::1::',
  '1::2::3',
  ':1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '1:2:3:4:5:6:7:8::',
  '::1:2:3:4:5:6:7:8',
  '1:2:3:4::5:6:7:8',
  'g::',
  '12345::',
  'fe80::1%eth0',
  '[::1]',
  '::1.2.3',
  '::1.2.3.4.5',
  '::1.2.3.4:5',
  '1.2.3.4::',
  '1:2:3:4:5:6:7:1.2.3.4',
  '::01.2.3.4',
  '::-1',
  '::+1',
]
test.each(refused)('readIp() refuses %j, and parseIp() says where', (text) => {
  expect(readIp(text)).toBeUndefined()
  expect(() => parseIp(text, '$.ipam.gateway')).toThrow(DecodeError)
  expect(() => parseIp(text, '$.ipam.gateway')).toThrow(`$.ipam.gateway: ${quote(text)} is not`)
})

const text4 = fc.ipV4()
const text6 = fc.ipV6()
const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 })

test('readIp() accepts the texts that node:net accepts, and no others', () => {
  const soup = fc.string({ unit: fc.constantFrom(...'0123456789abcdfF.:%/ x'), maxLength: 24 })
  fc.assert(
    fc.property(fc.oneof(text4, text6, soup), (text) => {
      const valid = isIPv4(text) || (isIPv6(text) && !text.includes('%'))
      expect(readIp(text) !== undefined).toBe(valid)
    }),
    { numRuns: 3000 },
  )
})

test('readIp() agrees with ip-cidr on the value of an address', () => {
  const pure6 = text6.filter((text) => !text.includes('.')) // ip-cidr takes any text with a dot for IPv4
  fc.assert(
    fc.property(fc.oneof(text4, pure6), (text) => {
      const address = parseIp(text)
      const written = ipNumber(address) + (familyOf(text) === familyOf(address) ? 0n : 0xffff00000000n)
      const oracle = new IPCIDR(`${text}/${widthOf(familyOf(text))}`)
      expect(written).toBe(BigInt(String(oracle.start({ type: 'bigInteger' }))))
    }),
  )
})

test('ipOf() and ipBytes() are inverse, and the text is canonical', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), bytes16), (bytes) => {
      const address = ipOf(bytes)
      expect(readIp(address)).toBe(address)
      expect([...ipBytes(address)]).toEqual([...bytes].slice(bytes.length - ipBytes(address).length))
      expect(ipOf(ipBytes(address))).toBe(address)
    }),
  )
})

test('ipOf() writes 16 bytes of an IPv4-mapped address as IPv4', () => {
  expect(ipOf(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 1, 2, 3))).toBe('10.1.2.3')
})

test('ipOfNumber() and ipNumber() are inverse', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: (1n << 32n) - 1n }), (n) => {
      expect(ipNumber(ipOfNumber(n, 4))).toBe(n)
    }),
  )
  fc.assert(
    fc.property(fc.bigInt({ min: 1n << 48n, max: (1n << 128n) - 1n }), (n) => {
      expect(familyOf(ipOfNumber(n, 6))).toBe(6)
      expect(ipNumber(ipOfNumber(n, 6))).toBe(n)
    }),
  )
})

test('ipOfNumber() cuts off what is above the width', () => {
  expect(ipOfNumber(1n << 32n, 4)).toBe('0.0.0.0')
  expect(ipOfNumber((1n << 128n) + 1n, 6)).toBe('::1')
})

test('quote() shows what a terminal would hide, and cuts at 120 characters', () => {
  expect(quote('a"\n\0')).toBe('"a\\"\\n\\u0000"')
  expect(quote(undefined)).toBe('undefined')
  expect(quote('x'.repeat(500))).toHaveLength(120)
})
