import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import { NetlinkError } from './error.ts'
import type { GenericSocket } from './generic.ts'
import { decodeAttrList, decodeMessages, encodeMessages, type Message, type Received } from './message.ts'
import { type PeerSettings, removePeers, setPeers, setWireguard } from './wireguard.ts'
import { decodeDevice, getWireguard } from './wireguard-dump.ts'
import { isWireguardKey, keyBytes, keyOf, NO_KEY } from './wireguard-key.ts'

const PRIVATE = 'AEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEA='
const PUBLIC = 'yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwknE='
const PSK = 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='
const FIRST = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='
const SECOND = 'TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0='

/** Bytes of messages recorded with strace: of each its type and flags, then all after nlmsghdr. */
const golden = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../test/golden/wireguard/${name}.hex`, 'utf8')
    .replace(/^#.*/gm, '')
    .replace(/\s/g, '')

const hexOf = (messages: readonly Message[]): string =>
  messages
    .map((message) => Buffer.from(encodeMessages([message], 1)))
    .map((bytes) => bytes.toString('hex', 4, 8) + bytes.toString('hex', 16))
    .join('')

/** As much of a socket as is asked here: the family has the number it had in the recordings, and `messages` are the answer. */
const recorded = (messages: readonly Received[] = [], errno = 0): GenericSocket => {
  const socket: Partial<GenericSocket> = {
    family: () => 0x20,
    request: (operation) => {
      if (errno !== 0) throw new NetlinkError(String(operation), errno)
      return messages
    },
  }
  return socket as GenericSocket
}
const socket = recorded()

const peer: PeerSettings = {
  publicKey: FIRST,
  presharedKey: PSK,
  endpoint: { ip: '192.0.2.2' as Ip, port: 51820 },
  keepalive: 25,
  allowedIPs: ['10.244.2.0/24', 'fd00:0:0:2::/64'] as Cidr[],
  replaceAllowedIPs: true,
}

test.for<readonly [string, readonly Message[]]>([
  ['set-device', [setWireguard(socket, 'wg0', { privateKey: PRIVATE, listenPort: 51820, fwmark: 0x10 })]],
  ['set-peer', setPeers(socket, 'wg0', [peer])],
  [
    'set-peer-ipv6',
    setPeers(socket, 'wg0', [{ publicKey: SECOND, endpoint: { ip: '2001:db8::2' as Ip, port: 51821 } }]),
  ],
  ['remove-peer', removePeers(socket, 'wg0', [SECOND])],
])('%s is byte for byte what wg sends', ([name, messages]) => {
  expect(hexOf(messages)).toBe(golden(name))
})

test('setWireguard() with replacePeers sets WGDEVICE_F_REPLACE_PEERS', () => {
  expect(hexOf([setWireguard(socket, 'wg0', { replacePeers: true })]).slice(-16)).toBe('0800050001000000')
})

/** Messages of a recording, with an nlmsghdr each; `ends` are where they end in it. */
const receivedFrom = (name: string, ...ends: readonly number[]): Received[] => {
  const bytes = Buffer.from(golden(name), 'hex')
  return [0, ...ends].map((start, i) => ({
    type: bytes.readUInt16LE(start),
    flags: bytes.readUInt16LE(start + 2),
    seq: 1,
    body: bytes.subarray(start + 4, ends[i] ?? bytes.length),
  }))
}

test('decodeDevice() reads what the kernel answers', () => {
  expect(decodeDevice(receivedFrom('show'))).toEqual({
    index: 2,
    name: 'wg0',
    privateKey: PRIVATE,
    publicKey: PUBLIC,
    listenPort: 51820,
    fwmark: 16,
    peers: [
      {
        publicKey: FIRST,
        presharedKey: PSK,
        endpoint: { ip: '192.0.2.2', port: 51820 },
        keepalive: 25,
        allowedIPs: ['10.244.2.0/24', 'fd00:0:0:2::/64'],
        lastHandshake: 0,
        rxBytes: 0n,
        txBytes: 0n,
      },
      {
        publicKey: SECOND,
        endpoint: { ip: '2001:db8::2', port: 51821 },
        keepalive: 0,
        allowedIPs: [],
        lastHandshake: 0,
        rxBytes: 0n,
        txBytes: 0n,
      },
    ],
  })
})

test('decodeDevice() joins a peer that goes on in the next message', () => {
  const device = decodeDevice(receivedFrom('show-long', 4 + 4072))
  expect(device).toMatchObject({ name: 'wg1', listenPort: 0, fwmark: 0 })
  expect(device.privateKey).toBeUndefined()
  expect(device.peers.map(({ publicKey }) => publicKey)).toEqual([SECOND, FIRST])
  expect(device.peers.map(({ allowedIPs }) => allowedIPs.length)).toEqual([150, 1])
  expect(new Set(device.peers[0]?.allowedIPs).size).toBe(150)
})

describe('getWireguard()', () => {
  test('asks as wg does', () => {
    const asked: Message[] = []
    const request = (_: unknown, message: Message): readonly Received[] => {
      asked.push(message)
      return receivedFrom('show')
    }
    getWireguard({ ...socket, request }, 'wg0')
    expect(hexOf(asked)).toBe(golden('get-device'))
  })

  test('is undefined when there is no such link, and throws for any other reason', () => {
    expect(getWireguard(recorded([], 19), 'wg0')).toBeUndefined()
    expect(() => getWireguard(recorded([], 95), 'eth0')).toThrow('wg show eth0: EOPNOTSUPP')
  })
})

const keyNumber = (n: number): string => Buffer.alloc(32, Buffer.of(n, n >> 8)).toString('base64')
const cidrs = (count: number): Cidr[] => Array.from({ length: count }, (_, i) => `fd00:${i.toString(16)}::/64` as Cidr)

const WGDEVICE_A_PEERS = 8

/** Public keys and numbers of allowed IPs, message for message, as an independent reading of the bytes finds them. */
const sentBy = (messages: readonly Message[]): readonly (readonly [key: string, allowedIPs: number])[][] =>
  decodeMessages(encodeMessages(messages, 1)).map(({ body }) => {
    const nested = decodeAttrList(body.subarray(4)).find(([type]) => type === WGDEVICE_A_PEERS)?.[1]
    return decodeAttrList(nested ?? new Uint8Array(0)).map(([, bytes]) => {
      const attrs = new Map(decodeAttrList(bytes))
      return [
        keyOf(attrs.get(1) ?? new Uint8Array(0)),
        decodeAttrList(attrs.get(9) ?? new Uint8Array(0)).length,
      ] as const
    })
  })

describe('the 16 bits of an attribute length', () => {
  const fleet = Array.from({ length: 5000 }, (_, i) => ({
    ...peer,
    publicKey: keyNumber(i),
    endpoint: { ip: '2001:db8::2' as Ip, port: 51820 },
    allowedIPs: cidrs(8),
  }))

  test('setPeers() divides 5,000 of the largest peers so that none is cut', () => {
    const sent = sentBy(setPeers(socket, 'wg0', fleet))
    expect(sent.flat()).toEqual(fleet.map(({ publicKey }) => [publicKey, 8]))
    expect(sent.length).toBeLessThan(50)
  })

  test('removePeers() divides too', () => {
    const keys = fleet.map(({ publicKey }) => publicKey)
    expect(sentBy(removePeers(socket, 'wg0', keys)).flat()).toEqual(keys.map((key) => [key, 0]))
  })

  test('setPeers() divides one peer with 5,000 allowed IPs: the first part replaces, the others add', () => {
    const messages = setPeers(socket, 'wg0', [{ ...peer, allowedIPs: cidrs(5000) }])
    const sent = sentBy(messages).flat()
    expect(sent.every(([key]) => key === FIRST)).toBe(true)
    expect(sent.reduce((sum, [, count]) => sum + count, 0)).toBe(5000)
    const flags = [...hexOf(messages).matchAll(/08000300(..)000000/g)].map(([, flag]) => flag)
    expect(flags).toEqual(['02', ...sent.slice(1).map(() => '04')])
  })

  test('no peers are no message', () => {
    expect(setPeers(socket, 'wg0', [])).toEqual([])
  })
})

test.for([
  [PUBLIC, true],
  [NO_KEY, true],
  [PUBLIC.slice(0, -1), false],
  [`${PUBLIC} `, false],
  [`${PUBLIC}\n`, false],
  ['', false],
  ['yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwknF=', false], // bits that belong to no byte
  ['yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwk_E=', false], // base64url
  ['yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwkg==', false], // 31 bytes
] as const)('isWireguardKey() of %j is %s', ([text, expected]) => {
  expect(isWireguardKey(text)).toBe(expected)
})

test('keyOf() and keyBytes() are each other the other way round', () => {
  for (const key of [PRIVATE, PUBLIC, PSK, NO_KEY]) expect(keyOf(keyBytes(key))).toBe(key)
  expect(Buffer.from(keyBytes(PUBLIC)).toString('base64')).toBe(PUBLIC)
})
