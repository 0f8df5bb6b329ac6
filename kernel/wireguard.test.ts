import { describe, expect, test } from 'vitest'
import type { Cidr } from '../addr/cidr.ts'
import type { Ip } from '../addr/ip.ts'
import type { WireguardDevice, WireguardPeer } from '../netlink/wireguard-dump.ts'
import { operationsOf } from './operations.ts'
import { deviceDifference, type WireguardFact, withoutSecrets } from './wireguard.ts'
import { peerDifference, peerSettings, type WireguardPeerFact } from './wireguard-peer.ts'

const SECRET = 'AEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEA='
const OTHER = 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='
const PUBLIC = 'yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwknE='

const device: WireguardFact = {
  kind: 'wireguard',
  ns: 'node',
  dev: 'flannel-wg',
  privateKey: SECRET,
  listenPort: 51820,
}
const peer: WireguardPeerFact = {
  kind: 'wireguard-peer',
  ns: 'node',
  dev: 'flannel-wg',
  publicKey: PUBLIC,
  presharedKey: OTHER,
  endpoint: { ip: '192.0.2.2' as Ip, port: 51820 },
  allowedIPs: ['10.244.2.0/24', 'fd00:0:0:2::/64'] as Cidr[],
  keepalive: 25,
}
const { presharedKey: _, ...open } = peer

test.for([
  [device, 'wg set flannel-wg private-key (hidden) listen-port 51820'],
  [
    peer,
    `wg set flannel-wg peer ${PUBLIC} preshared-key (hidden) endpoint 192.0.2.2:51820 persistent-keepalive 25 allowed-ips 10.244.2.0/24,fd00:0:0:2::/64`,
  ],
  [
    { ...open, keepalive: 0, endpoint: { ip: '2001:db8::2' as Ip, port: 51821 } },
    `wg set flannel-wg peer ${PUBLIC} endpoint [2001:db8::2]:51821 allowed-ips 10.244.2.0/24,fd00:0:0:2::/64`,
  ],
] as const)('render() of %#', ([fact, text]) => {
  expect(operationsOf(fact).render(fact)).toBe(text)
  expect(operationsOf(fact).render(withoutSecrets(fact))).toBe(text)
})

const shown: WireguardDevice = {
  index: 7,
  name: 'flannel-wg',
  privateKey: SECRET,
  publicKey: PUBLIC,
  listenPort: 51820,
  fwmark: 0,
  peers: [],
}
const { privateKey: _shown, ...unset } = shown

describe('deviceDifference()', () => {
  test.for<readonly [WireguardDevice | undefined, string | undefined]>([
    [shown, undefined],
    [undefined, 'interface flannel-wg is missing'],
    [unset, 'flannel-wg has no private key'],
    [{ ...shown, privateKey: OTHER }, 'flannel-wg has another private key'],
    [{ ...shown, listenPort: 4711 }, 'flannel-wg listens on port 4711, not 51820'],
  ])('%#: %j', ([found, why]) => {
    expect(deviceDifference(device, found)).toBe(why)
  })

  test('leaves a key out of the comparison that is not told', () => {
    expect(deviceDifference(withoutSecrets(device), shown)).toBeUndefined()
    expect(deviceDifference(withoutSecrets(device), { ...shown, listenPort: 1 })).toMatch('port 1')
  })
})

const now = Math.floor(Date.now() / 1000)
const held: WireguardPeer = {
  publicKey: PUBLIC,
  presharedKey: OTHER,
  endpoint: { ip: '192.0.2.2' as Ip, port: 51820 },
  keepalive: 25,
  allowedIPs: ['fd00:0:0:2::/64', '10.244.2.0/24'] as Cidr[],
  lastHandshake: 0,
  rxBytes: 0n,
  txBytes: 0n,
}
const { presharedKey: _held, ...heldOpen } = held
const { endpoint: _endpoint, ...nowhere } = held
const elsewhere = { ...held, endpoint: { ip: '198.51.100.9' as Ip, port: 1024 } }

describe('peerDifference()', () => {
  test.for<readonly [string, WireguardPeerFact, WireguardPeer | undefined, string | undefined]>([
    ['the same', peer, held, undefined],
    ['none', peer, undefined, 'is missing'],
    ['no preshared key', peer, heldOpen, 'has another preshared key'],
    ['a preshared key too many', open, held, 'has another preshared key'],
    ['a preshared key that is not told', withoutSecrets(peer), held, undefined],
    [
      'an allowed IP lost',
      peer,
      { ...held, allowedIPs: ['10.244.2.0/24' as Cidr] },
      'has the allowed IPs 10.244.2.0/24,',
    ],
    ['no allowed IP', peer, { ...held, allowedIPs: [] }, 'has the allowed IPs none, not 10.244.2.0/24,'],
    ['host bits in the fact', { ...peer, allowedIPs: ['10.244.2.7/24', 'fd00:0:0:2::/64'] as Cidr[] }, held, undefined],
    ['another interval', peer, { ...held, keepalive: 0 }, 'is kept alive every 0 s, not 25'],
    ['no endpoint', peer, nowhere, 'is at no endpoint, not 192.0.2.2:51820'],
    ['another endpoint, silent', peer, elsewhere, 'is at 198.51.100.9:1024, not 192.0.2.2:51820'],
    ['another endpoint, silent for long', peer, { ...elsewhere, lastHandshake: now - 200 }, 'is at 198.51.100.9:1024'],
    ['another endpoint, by which a session runs', peer, { ...elsewhere, lastHandshake: now - 5 }, undefined],
  ])('%s', ([, fact, found, why]) => {
    if (why === undefined) expect(peerDifference(fact, found)).toBeUndefined()
    else expect(peerDifference(fact, found)).toMatch(`peer ${PUBLIC} of flannel-wg ${why}`)
    expect(peerDifference(fact, found) ?? '').not.toContain(OTHER)
  })
})

test('peerSettings() of a peer without preshared key unset one that it had', () => {
  expect(peerSettings(open).presharedKey).toBe(Buffer.alloc(32).toString('base64'))
})
