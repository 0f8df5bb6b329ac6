import { expect, test } from 'vitest'
import { decodeIcmp, echoRequest, filterOf } from './icmp.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** An IPv4 header of 20 bytes, from 192.0.2.1 to 192.0.2.2, with the protocol given. */
const ipv4 = (protocol: string): string => `45000024 00004000 40${protocol}0000 c0000201 c0000202`
const UDP = 'c350 2118 0010 0000'

test('echoRequest() has a checksum over IPv4 and leaves it to the kernel over IPv6', () => {
  // as sent by `ping -c 1 -s 0`, id 0x1234, seq 1: RFC 1071 over 0800 1234 0001 is 0xe5ca
  expect(Buffer.from(echoRequest(4, 0x1234, 1)).toString('hex')).toBe('0800e5ca12340001')
  expect(Buffer.from(echoRequest(4, 0x1234, 1, 3)).toString('hex')).toBe('0800e5ca12340001000000')
  expect(Buffer.from(echoRequest(6, 0x1234, 1)).toString('hex')).toBe('8000000012340001')
})

test('decodeIcmp() reads echo replies', () => {
  expect(decodeIcmp(4, hex(`${ipv4('01')} 0000 0000 1234 0007`))).toEqual({ kind: 'reply', id: 0x1234, seq: 7 })
  expect(decodeIcmp(6, hex('8100 0000 1234 0007'))).toEqual({ kind: 'reply', id: 0x1234, seq: 7 })
})

test('decodeIcmp() reads past options of IPv4', () => {
  const options = `47${ipv4('01').slice(2)} 01010101 01010100`
  expect(decodeIcmp(4, hex(`${options} 0000 0000 1234 0007`))).toEqual({ kind: 'reply', id: 0x1234, seq: 7 })
})

const about = { dst: '192.0.2.2', protocol: 17, head: hex(UDP) }
const IPV6 = `60000000 0010 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002`
const about6 = { dst: '2001:db8::2', protocol: 17, head: hex(UDP) }

test.for([
  ['a closed port', 4, `${ipv4('01')} 0303 0000 00000000 ${ipv4('11')} ${UDP}`, { kind: 'port', mtu: 0, ...about }],
  [
    'a short path',
    4,
    `${ipv4('01')} 0304 0000 0000 0578 ${ipv4('11')} ${UDP}`,
    { kind: 'too-big', mtu: 1400, ...about },
  ],
  [
    'a host away',
    4,
    `${ipv4('01')} 0301 0000 00000000 ${ipv4('11')} ${UDP}`,
    { kind: 'unreachable', mtu: 0, ...about },
  ],
  ['a firewall', 4, `${ipv4('01')} 030d 0000 00000000 ${ipv4('11')} ${UDP}`, { kind: 'prohibited', mtu: 0, ...about }],
  ['a firewall', 6, `0101 0000 00000000 ${IPV6} ${UDP}`, { kind: 'prohibited', mtu: 0, ...about6 }],
  ['a closed port', 6, `0104 0000 00000000 ${IPV6} ${UDP}`, { kind: 'port', mtu: 0, ...about6 }],
  ['a short path', 6, `0200 0000 00000578 ${IPV6} ${UDP}`, { kind: 'too-big', mtu: 1400, ...about6 }],
  ['no route', 6, `0100 0000 00000000 ${IPV6} ${UDP}`, { kind: 'unreachable', mtu: 0, ...about6 }],
] as const)('decodeIcmp() reads an error about %s over IPv%s', ([, family, bytes, message]) => {
  expect(decodeIcmp(family, hex(bytes))).toEqual(message)
})

test.for([
  ['an echo request', 4, `${ipv4('01')} 0800 0000 1234 0007`],
  ['a redirect', 4, `${ipv4('01')} 0501 0000 00000000 ${ipv4('11')} ${UDP}`],
  ['a neighbour solicitation', 6, '8700 0000 00000000'],
] as const)('decodeIcmp() disregards %s', ([, family, bytes]) => {
  expect(decodeIcmp(family, hex(bytes))).toBeUndefined()
})

test.for([
  [4, `${ipv4('01')} 0303 0000 00000000 ${ipv4('11')} ${UDP}`],
  [4, `${ipv4('01')} 0000 0000 1234 0007`],
  [6, `0200 0000 00000578 ${IPV6} ${UDP}`],
  [6, '8100 0000 1234 0007'],
] as const)('decodeIcmp() of IPv%s disregards what is cut off: %s', ([family, bytes]) => {
  const whole = hex(bytes)
  expect(decodeIcmp(family, whole)).toBeDefined()
  for (let length = 0; length < whole.length; length++)
    expect(decodeIcmp(family, whole.subarray(0, length))).toBeUndefined()
})

test('filterOf() lets through echo replies, and errors when asked', () => {
  const passing = (filter: Uint8Array): number[] =>
    Array.from({ length: filter.length * 8 }, (_, type) => type).filter(
      (type) => (((filter[type >> 3] ?? 0) >> (type & 7)) & 1) === 0,
    )
  expect(passing(filterOf(4, false))).toEqual([0])
  expect(passing(filterOf(4, true))).toEqual([0, 3])
  expect(passing(filterOf(6, false))).toEqual([129])
  expect(passing(filterOf(6, true))).toEqual([1, 2, 129])
})
