/** flannel's chains FLANNEL-POSTRTG and FLANNEL-FWD, rule by rule as flanneld writes them, so that each finds what the other
 *  made and changes nothing. flannel pkg/trafficmngr/iptables `masqRules`, `forwardRules`. */
import type { Family } from '../addr/ip.ts'
import type { IptablesFact } from '../kernel/iptables.ts'
import { ruleOf } from '../netfilter/iptables-rule.ts'
import { KUBE_PROXY_MARK, MULTICAST, type PodNetwork } from './pod-network.ts'

const POSTRTG = 'FLANNEL-POSTRTG'
const FWD = 'FLANNEL-FWD'
const MARK = `0x${KUBE_PROXY_MARK.toString(16)}`

const comment = (text: string): readonly string[] => ['-m', 'comment', '--comment', text]
const MASQ = comment('flanneld masq')
const FORWARD = comment('flanneld forward')

/** The node's, not an attachment's. */
const OWNER = { network: 'podwire-overlay', containerID: 'node', ifName: 'overlay' }

const factOf = (
  family: Family,
  table: 'nat' | 'filter',
  own: IptablesFact['chains'][number],
  jump: IptablesFact['rules'][number],
): IptablesFact => ({
  kind: 'iptables',
  ns: 'node',
  family,
  table,
  owner: OWNER,
  chains: [own],
  shared: [],
  rules: [jump],
  whole: true,
})

const masqueradeRules = ({ family, network, own }: PodNetwork, randomFully: boolean): string[] => {
  const masquerade = [...MASQ, '-j', 'MASQUERADE', ...(randomFully ? ['--random-fully'] : [])]
  return [
    ruleOf('-m', 'mark', '--mark', `${MARK}/${MARK}`, ...MASQ, '-j', 'RETURN'),
    ruleOf('-s', own, '-d', network, ...MASQ, '-j', 'RETURN'),
    ruleOf('-s', network, '-d', own, ...MASQ, '-j', 'RETURN'),
    ruleOf('!', '-s', network, '-d', own, ...MASQ, '-j', 'RETURN'),
    ruleOf('-s', network, '!', '-d', MULTICAST[family], ...masquerade),
    ruleOf('!', '-s', network, '-d', network, ...masquerade),
  ]
}

export const masqueradeIptables = (pods: PodNetwork, randomFully: boolean): IptablesFact =>
  factOf(
    pods.family,
    'nat',
    { name: POSTRTG, rules: masqueradeRules(pods, randomFully) },
    { chain: 'POSTROUTING', rule: ruleOf(...MASQ, '-j', POSTRTG), position: 'last' },
  )

export const forwardIptables = ({ family, network }: PodNetwork): IptablesFact =>
  factOf(
    family,
    'filter',
    {
      name: FWD,
      rules: [ruleOf('-s', network, ...FORWARD, '-j', 'ACCEPT'), ruleOf('-d', network, ...FORWARD, '-j', 'ACCEPT')],
    },
    { chain: 'FORWARD', rule: ruleOf(...FORWARD, '-j', FWD), position: 'last' },
  )
