import { expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import { renderPlan } from '../../kernel/apply.ts'
import type { FirewallConf } from './conf.ts'
import { planIptables, planIptablesCheck, recordChainOf } from './plan-iptables.ts'
import { planFirewalld, planNftables } from './plan-nftables.ts'
import type { Pod } from './pod.ts'

const conf: FirewallConf = {
  backend: undefined,
  adminChain: 'CNI-ADMIN',
  namesAdminChain: false,
  zone: 'trusted',
  ingressPolicy: 'open',
}
const pod: Pod = {
  owner: { network: 'net', containerID: 'cid', ifName: 'eth0' },
  sources: [parseCidr('10.1.0.2/32'), parseCidr('fd00::2/128')],
  host: 'cni0',
  ports: ['veth1'],
}
const RECORD = recordChainOf(pod.owner)

test('planIptables() is one fact a family', () => {
  const plan = planIptables(conf, pod)
  expect(renderPlan(plan.slice(0, 1)).split('\n')).toEqual([
    'iptables -t filter -N CNI-FORWARD',
    'iptables -t filter -N CNI-ADMIN',
    `iptables -t filter -N ${RECORD}`,
    `iptables -t filter -A ${RECORD} -s 10.1.0.2 -m comment --comment net/cid/eth0`,
    'iptables -t filter -A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD',
    'iptables -t filter -A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN',
    'iptables -t filter -A CNI-FORWARD -d 10.1.0.2/32 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    'iptables -t filter -A CNI-FORWARD -s 10.1.0.2/32 -j ACCEPT',
  ])
  expect(plan.slice(1)).toMatchObject([{ family: 6, chains: [{ name: RECORD }] }])
})

test('planIptables() says nothing for a family without addresses; CHECK asks for no record', () => {
  expect(planIptables(conf, { ...pod, sources: [] })).toEqual([])
  expect(planIptablesCheck(conf, pod)).toMatchObject([{ chains: [] }, { chains: [] }])
})

const elementsOf = (plan: ReturnType<typeof planNftables>): string[] =>
  renderPlan(plan)
    .split('\n')
    .filter((line) => line.includes('add element'))

test('planNftables() puts the attachment before what its bridge shares', () => {
  expect(elementsOf(planNftables({ ...conf, ingressPolicy: 'isolated' }, pod))).toEqual([
    expect.stringContaining('inet podwire-firewall pod-ips { 10.1.0.2 . "cni0" comment "net/cid/eth0" }'),
    expect.stringContaining('inet podwire-firewall pod-ip6s { fd00::2 . "cni0" comment "net/cid/eth0" }'),
    expect.stringContaining('inet podwire-firewall isolated-attachments { "cni0" . "'),
    expect.stringContaining('bridge podwire-firewall isolated-ports { "veth1" comment "net/cid/eth0" }'),
    expect.stringContaining('inet podwire-firewall policed-bridges { "cni0" comment "podwire" }'),
    expect.stringContaining('inet podwire-firewall isolated-bridges { "cni0" . "cni0" comment "podwire" }'),
  ])
  expect(elementsOf(planNftables(conf, pod))).toHaveLength(2)
  expect(elementsOf(planNftables(conf, { ...pod, host: undefined }))).toEqual([])
})

test('planFirewalld() records the addresses before it adds them', () => {
  const lines = renderPlan(planFirewalld(conf, pod)).split('\n')
  expect(lines.slice(-3)).toEqual([
    expect.stringContaining('firewalld-ip6s { fd00::2 comment "net/cid/eth0" }'),
    'firewall-cmd --zone=trusted --add-source=10.1.0.2/32',
    'firewall-cmd --zone=trusted --add-source=fd00::2/128',
  ])
})
