import { expect, test } from 'vitest'
import { renderPlan } from '../kernel/apply.ts'
import { confOf, DUAL, IPV4, IPV6, nodeOf } from '../test/support/overlay.ts'
import { type MasqueradeOptions, planMasquerade } from './masquerade.ts'

const ALL: MasqueradeOptions = { backend: 'nftables', ipMasq: true, randomFully: true, forwardRules: true }
const planned = (options: Partial<MasqueradeOptions>, families = IPV4): string[] =>
  renderPlan(planMasquerade({ ...ALL, ...options }, nodeOf(1, confOf(families, {}))))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/layout [0-9a-f]{16}/, 'layout H'))

test("planMasquerade() by nftables: kube-proxy's mark first, own pods exempt, the rest with the node's address", () => {
  expect(planned({})).toEqual([
    `nft 'add table inet podwire-overlay { comment "podwire, layout H"; }'`,
    `nft 'add chain inet podwire-overlay postrouting { type nat hook postrouting priority srcnat; policy accept; }'`,
    `nft 'add chain inet podwire-overlay forward { type filter hook forward priority filter; policy accept; }'`,
    `nft 'add rule inet podwire-overlay postrouting meta mark & 0x00004000 == 0x00004000 return'`,
    `nft 'add rule inet podwire-overlay postrouting ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return'`,
    `nft 'add rule inet podwire-overlay postrouting ip daddr 10.244.1.0/24 return'`,
    `nft 'add rule inet podwire-overlay postrouting ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random'`,
    `nft 'add rule inet podwire-overlay postrouting ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random'`,
    `nft 'add rule inet podwire-overlay forward ip saddr 10.244.0.0/16 accept'`,
    `nft 'add rule inet podwire-overlay forward ip daddr 10.244.0.0/16 accept'`,
  ])
})

test('planMasquerade() by nftables has rules for both families', () => {
  const rules = planned({}, DUAL).filter((line) => line.includes('add rule'))
  expect(rules.filter((line) => line.includes('ip6 '))).toHaveLength(6)
  expect(rules.filter((line) => line.includes('ip '))).toHaveLength(6)
  expect(planned({}, IPV6).filter((line) => line.includes('ip saddr'))).toEqual([])
})

/** What flanneld 0.28 has in iptables, as `iptables -S` prints it: flannel pkg/trafficmngr/iptables/iptables.go. */
test('planMasquerade() by iptables has the chains of flannel, rule by rule', () => {
  expect(planned({ backend: 'iptables' })).toEqual([
    'iptables -t nat -N FLANNEL-POSTRTG',
    'iptables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
    'iptables -t nat -A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN',
    'iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN',
    'iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN',
    'iptables -t nat -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
    'iptables -t nat -A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
    'iptables -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
    'iptables -t filter -N FLANNEL-FWD',
    'iptables -t filter -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
    'iptables -t filter -A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT',
    'iptables -t filter -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
  ])
})

test('planMasquerade() by iptables leaves ports in order when it is told to, and IPv6 its own multicast', () => {
  const rules = planned({ backend: 'iptables', randomFully: false, forwardRules: false }, IPV6)
  expect(rules.filter((line) => line.includes('MASQUERADE'))).toEqual([
    'ip6tables -t nat -A FLANNEL-POSTRTG -s fd00:244::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE',
    'ip6tables -t nat -A FLANNEL-POSTRTG ! -s fd00:244::/48 -d fd00:244::/48 -m comment --comment "flanneld masq" -j MASQUERADE',
  ])
})

test.for<[options: Partial<MasqueradeOptions>]>([[{ backend: 'nftables' }], [{ backend: 'iptables' }]])(
  'planMasquerade() plans nothing that is not asked for: %j',
  ([options]) => {
    expect(planned({ ...options, ipMasq: false, forwardRules: false })).toEqual([])
    expect(planned({ ...options, ipMasq: false }).some((line) => /masquerade/i.test(line))).toBe(false)
    expect(planned({ ...options, forwardRules: false }).some((line) => /daddr .* accept|FLANNEL-FWD/.test(line))).toBe(
      false,
    )
  },
)
