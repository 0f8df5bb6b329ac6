import fc from 'fast-check'
import { expect, test } from 'vitest'
import { localMacOf, macBytes, macOf, parseMac, readMac } from './mac.ts'

const accepted: readonly (readonly [text: string, canonical: string])[] = [
  ['02:42:ac:11:00:02', '02:42:ac:11:00:02'],
  ['02-42-AC-11-00-02', '02:42:ac:11:00:02'],
  ['FF:FF:FF:FF:FF:FF', 'ff:ff:ff:ff:ff:ff'],
]
test.each(accepted)('readMac() reads %j as %j', (text, canonical) => {
  expect(readMac(text)).toBe(canonical)
})

const refused = [
  '',
  '02:42:ac:11:00',
  '02:42:ac:11:00:02:03',
  '02:42:ac:11:00:2',
  '02-42:ac:11:00:02',
  '0242.ac11.0002',
  '0242ac110002',
  '02:42:ac:11:00:0g',
  ' 02:42:ac:11:00:02',
  '02:42:ac:11:00:02\n',
]
test.each(refused)('readMac() refuses %j', (text) => {
  expect(readMac(text)).toBeUndefined()
  expect(() => parseMac(text, '$.mac')).toThrow(/^\$\.mac: /)
})

const bytes6 = fc.uint8Array({ minLength: 6, maxLength: 6 })

test('macOf() and macBytes() are inverse', () => {
  fc.assert(
    fc.property(bytes6, (bytes) => {
      expect([...macBytes(macOf(bytes))]).toEqual([...bytes])
      expect(readMac(macOf(bytes))).toBe(macOf(bytes))
    }),
  )
})

test('localMacOf() is unicast, locally administered and keeps all other bits', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 6, maxLength: 20 }), (bytes) => {
      const [first = 0, ...rest] = macBytes(localMacOf(bytes))
      expect(first & 3).toBe(2)
      expect(first & 0xfc).toBe((bytes[0] ?? 0) & 0xfc)
      expect(rest).toEqual([...bytes.subarray(1, 6)])
    }),
  )
})
