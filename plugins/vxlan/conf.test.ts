import { expect, test } from 'vitest'
import { callOf } from '../../test/support/call.ts'
import { parseVxlanConf } from './conf.ts'

const NET_CONF = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan', VNI: 7 } }
const parse = (keys: object) => parseVxlanConf(callOf({ type: 'vxlan', ...keys }))

test('parseVxlanConf() fills in the defaults', () =>
  expect(parse({})).toEqual({
    store: { type: 'file', dir: '/var/lib/podwire/overlay' },
    netConf: undefined,
    ways: { ifaces: [], ifaceRegexes: [] },
    masquerade: { backend: 'nftables', ipMasq: true, randomFully: true, forwardRules: true },
    dataDir: '/var/lib/cni/vxlan',
  }))

test.for<[keys: object, expected: object]>([
  [{ store: { dir: '/srv/leases' } }, { store: { type: 'file', dir: '/srv/leases' } }],
  [
    { store: { type: 'etcd', dir: '/x', etcdEndpoints: 'http://e:2379' } },
    { store: { type: 'etcd', options: { etcdEndpoints: 'http://e:2379' } } },
  ],
  [
    {
      iface: ['eth1', '192.0.2.1'],
      ifaceRegex: ['^eth'],
      ifaceCanReach: '2001:DB8::1',
      publicIP: '',
      publicIPv6: '::2',
    },
    {
      ways: { ifaces: ['eth1', '192.0.2.1'], ifaceRegexes: ['^eth'], ifaceCanReach: '2001:db8::1', publicIPv6: '::2' },
    },
  ],
  [
    { ipMasq: false, masqueradeBackend: 'iptables', iptablesForwardRules: false },
    { masquerade: { backend: 'iptables', ipMasq: false, randomFully: true, forwardRules: false } },
  ],
  [
    { netConf: NET_CONF },
    { netConf: { text: JSON.stringify(NET_CONF), conf: { backend: { kind: 'vxlan', vni: 7 } } } },
  ],
])('parseVxlanConf() of %j', ([keys, expected]) => expect(parse(keys)).toMatchObject(expected))

test.for<[keys: object, said: string]>([
  [
    { netConf: { Network: '10.244.0.0/16', Backend: { Type: 'wireguard' } } },
    '$.netConf.Backend.Type: "wireguard" is not',
  ],
  [{ netConf: {} }, '$.netConf.'],
  [{ ifaceRegex: ['ok', '['] }, '$.ifaceRegex[1]: "["'],
  [{ publicIP: '::1' }, '$.publicIP: "::1" is not an IPv4 address'],
  [{ publicIPv6: '192.0.2.1' }, '$.publicIPv6: "192.0.2.1" is not an IPv6 address'],
  [{ ifaceCanReach: 'gateway' }, '$.ifaceCanReach: "gateway"'],
  [{ delegate: { name: 'x' } }, '$.delegate.name: "x" must not be there'],
])('parseVxlanConf() refuses %j', ([keys, said]) => expect(() => parse(keys)).toThrow(said))
