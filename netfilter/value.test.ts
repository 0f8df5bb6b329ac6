import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ipOfNumber } from '../addr/ip.ts'
import { DATA_TYPES, type DataType, lengthOfTypes, numberOfTypes } from './datatype.ts'
import { encodeElement } from './element.ts'
import type { SetDecl } from './ruleset.ts'
import {
  concatFields,
  decodeFields,
  encodeBounds,
  encodeScalar,
  renderField,
  renderScalar,
  type Scalar,
} from './value.ts'

const TYPES = Object.keys(DATA_TYPES) as DataType[]
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const scalarOf = (type: DataType): fc.Arbitrary<Scalar> => {
  switch (DATA_TYPES[type].form) {
    case 'ip':
      return fc
        .bigInt({ min: 1n << 40n, max: (1n << 128n) - 1n })
        .map((n) => ipOfNumber(n, type === 'ipv4_addr' ? 4 : 6))
    case 'mac':
      return fc
        .uint8Array({ minLength: 6, maxLength: 6 })
        .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':'))
    case 'text':
      return fc.stringMatching(/^[!-~]{1,15}$/)
    case 'number':
      return fc.integer({ min: 0, max: 2 ** (8 * DATA_TYPES[type].bytes) - 1 })
  }
}
const typeAndScalar = fc.constantFrom(...TYPES).chain((type) => fc.tuple(fc.constant(type), scalarOf(type)))

test('decodeFields() of concatFields() of encodeScalar() encodes to the same bytes again', () => {
  fc.assert(
    fc.property(fc.array(typeAndScalar, { minLength: 1, maxLength: 4 }), (parts) => {
      const types = parts.map(([type]) => type)
      const bytes = concatFields(parts.map(([type, value]) => encodeScalar(type, value)))
      expect(bytes.length).toBe(lengthOfTypes(types))
      const again = decodeFields(types, bytes).map((value, i) => encodeScalar(types[i] ?? 'mark', value))
      expect(hex(concatFields(again))).toBe(hex(bytes))
    }),
  )
})

const BYTES: readonly (readonly [type: DataType, value: Scalar, bytes: string, text: string])[] = [
  ['ipv4_addr', '10.0.0.255', '0a0000ff', '10.0.0.255'],
  ['ipv6_addr', 'fd00::1', 'fd000000000000000000000000000001', 'fd00::1'],
  ['ether_addr', '02:00:00:00:00:0A', '02000000000a', '02:00:00:00:00:0A'],
  ['inet_proto', 'tcp', '06', 'tcp'],
  ['inet_proto', 17, '11', 'udp'],
  ['inet_proto', 200, 'c8', '200'],
  ['inet_service', 8080, '1f90', '8080'],
  ['mark', 0x4000, '00400000', '0x00004000'],
  ['mark', 0xffffffff, 'ffffffff', '0xffffffff'],
  ['integer', 1, '01000000', '1'],
  ['ifname', 'eth0', '65746830000000000000000000000000', '"eth0"'],
  ['ct_state', 'established', '02000000', 'established'],
  ['ct_state', 6, '06000000', 'established,related'],
  ['fib_addrtype', 'local', '02000000', 'local'],
  ['ether_type', 'ip6', '86dd', 'ip6'],
  ['icmpv6_type', 'echo-request', '80', 'echo-request'],
]
test.for(BYTES)('encodeScalar() of %s %j', ([type, value, bytes, text]) => {
  expect(hex(encodeScalar(type, value))).toBe(bytes)
  expect(renderScalar(type, value)).toBe(text)
})

const REFUSED: readonly (readonly [type: DataType, value: Scalar, message: RegExp])[] = [
  ['ipv4_addr', '10.0.0.256', /^ipv4_addr: "10.0.0.256" is not an IPv4 or IPv6 address$/],
  ['ipv4_addr', '10.0.0.01', /"10.0.0.01"/],
  ['ipv4_addr', '10.0.0', /"10.0.0"/],
  ['ipv4_addr', '10.0.0.1.2', /"10.0.0.1.2"/],
  ['ipv4_addr', '10..0.1', /"10..0.1"/],
  ['ipv4_addr', 'fd00::1', /"fd00::1" is no value of this type/],
  ['ipv6_addr', '10.0.0.1', /"10.0.0.1" is no value of this type/],
  ['inet_proto', 'tpc', /^inet_proto: "tpc" is no value of this type; allowed: 0 to 255, .*tcp/],
  ['inet_service', 65536, /65536 .*allowed: 0 to 65535/],
  ['inet_service', -1, /-1 /],
  ['inet_service', 1.5, /1.5 /],
  ['mark', 2 ** 32, /4294967296 /],
  ['ifname', 'sixteen-letters.', /allowed: text of at most 15 bytes/],
  ['ifname', 'a\0b', /"a\\u0000b"/],
  ['ether_addr', '02:00', /"02:00" is not an Ethernet address/],
]
test.for(REFUSED)('encodeScalar() refuses %s %j', ([type, value, message]) => {
  expect(() => encodeScalar(type, value)).toThrow(message)
})

const BOUNDS: readonly (readonly [
  type: DataType,
  field: Parameters<typeof encodeBounds>[1],
  bounds: string,
  text: string,
])[] = [
  ['ipv4_addr', '10.1.2.3/8', '0a000000-0affffff', '10.0.0.0/8'],
  ['ipv4_addr', '10.1.2.3/12', '0a000000-0a0fffff', '10.0.0.0/12'],
  ['ipv4_addr', '10.1.2.3/32', '0a010203-0a010203', '10.1.2.3'],
  ['ipv4_addr', '0.0.0.0/0', '00000000-ffffffff', '0.0.0.0/0'],
  ['ipv6_addr', 'fd00::5/127', `fd${'0'.repeat(28)}04-fd${'0'.repeat(28)}05`, 'fd00::4/127'],
  ['inet_service', { from: 80, to: 90 }, '0050-005a', '80-90'],
  ['inet_service', 80, '0050-0050', '80'],
]
test.for(BOUNDS)('encodeBounds() of %s %j', ([type, field, bounds, text]) => {
  expect(encodeBounds(type, field).map(hex).join('-')).toBe(bounds)
  expect(renderField(type, field)).toBe(text)
})

test.for(['10.0.0.0/33', '10.0.0.0/x', '10.0.0.0/-1', '10.0.0/8'])('encodeBounds() refuses %s', (field) => {
  expect(() => encodeBounds('ipv4_addr', field)).toThrow(/ipv4_addr/)
})

test('numberOfTypes() gives six bits to each part, as nft reads them back', () => {
  expect(numberOfTypes(['inet_proto', 'inet_service'])).toBe(0x30d)
  expect(numberOfTypes(['ipv4_addr', 'inet_proto', 'inet_service'])).toBe(0x730d)
})

const set = (decl: Partial<SetDecl>): SetDecl => ({ name: 'set', key: ['ipv4_addr'], ...decl })

test('encodeElement() of a single interval has an end behind its last key, but for the last key of all', () => {
  const keys = (key: string): readonly string[] =>
    encodeElement(set({ interval: true }), { key: [key] }).map((spec) => `${hex(spec.key)} ${spec.flags ?? 0}`)
  expect(keys('10.0.0.0/8')).toEqual(['0a000000 0', '0b000000 1'])
  expect(keys('10.0.0.255')).toEqual(['0a0000ff 0', '0a000100 1'])
  expect(keys('255.0.0.0/8')).toEqual(['ff000000 0'])
})

test('encodeElement() refuses a key or data of another shape', () => {
  expect(() => encodeElement(set({}), { key: ['10.0.0.1', 80] })).toThrow(/has 2 parts, its set ipv4_addr/)
  expect(() => encodeElement(set({}), { key: ['10.0.0.0/8'] })).toThrow(/10.0.0.0\/8/)
  expect(() => encodeElement(set({}), { key: [{ from: '10.0.0.1', to: '10.0.0.2' }] })).toThrow(
    /does not hold intervals/,
  )
  expect(() => encodeElement(set({ data: ['mark'] }), { key: ['10.0.0.1'], data: [1, 2] })).toThrow(/has 2 parts/)
})
