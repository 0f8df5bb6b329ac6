/** What a namespace and some folders hold, as lines: taken before and after an operation, the difference is what the
 *  operation left behind. */
import { must } from './command.ts'
import { inside } from './netns.ts'

/** Every line begins with the section it is from: `link`, `addr`, `route`, `rule`, `neigh`, `qdisc`, `filter`, `nft`,
 *  `iptables-...`, `ip6tables-...`, `sysctl`, `file`. */
export type Snapshot = readonly string[]

const SYSCTLS = [
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
  'net/ipv4/conf/*/route_localnet',
  'net/ipv4/conf/*/arp_notify',
  'net/ipv6/conf/*/accept_ra',
  'net/ipv6/conf/*/accept_dad',
  'net/bridge/bridge-nf-call-iptables',
]

/** Whether a link has a carrier, and what the kernel derives from that or from an address, comes and goes with time. */
const LINK =
  's/^[0-9]+: //; s/NO-CARRIER,//; s/,LOWER_UP//; s/ state [A-Z]+//; s/ qlen [0-9]+//; s/_timer +[0-9.]+/_timer/g'
const ADDR = '/ fe80::/d; s/^[0-9]+: //; s/ (valid_lft|preferred_lft) [0-9a-z]+//g; s/ tentative//'
const ROUTE = '/ proto kernel/d; s/ linkdown//'

const SECTIONS: readonly (readonly [name: string, command: string])[] = [
  ['link', `ip -o -d link | sed -E '${LINK}'`],
  ['addr', `ip -o addr | sed -E '${ADDR}'`],
  ['route', `(ip route show table all; ip -6 route show table all) | sed -E '${ROUTE}'`],
  ['rule', 'ip rule; ip -6 rule'],
  ['neigh', 'ip neigh show nud permanent'],
  ['fdb', "bridge fdb show | sed -E '/^(33:33|01:00:5e):/d'"],
  ['qdisc', "tc qdisc | sed -E 's/ refcnt [0-9]+//'"],
  [
    'filter',
    'for l in $(ls /proc/net/dev_snmp6); do tc filter show dev $l 2>&1; tc filter show dev $l ingress 2>&1; done',
  ],
  ['nft', 'nft -s list ruleset'],
  ...['iptables', 'ip6tables'].flatMap((tool) =>
    ['nft', 'legacy'].map(
      (kind) => [`${tool}-${kind}`, `${tool}-${kind}-save 2>/dev/null | sed '/^#/d; s/\\[[0-9]*:[0-9]*\\]//'`] as const,
    ),
  ),
  ['sysctl', `cd /proc/sys; for f in ${SYSCTLS.join(' ')}; do [ ! -e $f ] || echo "$f $(cat $f)"; done`],
]

const SCRIPT = SECTIONS.map(([name, command]) => `( ${command} ) | sed 's|^|${name} |'`).join('\n')

/** The state of the namespace `netns`, and the names and sizes of files under `folders`. Takes about 50 ms. */
export const snapshot = (netns: string, folders: readonly string[] = []): Snapshot => {
  const state = must(inside(netns, ['sh', '-c', SCRIPT])).split('\n')
  const present = `for d; do [ ! -e "$d" ] || find "$d" ! -type d -printf 'file %p %s\\n'; done`
  const files = must(['sh', '-c', present, 'sh', ...folders]).split('\n')
  return [...state, ...files]
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .sort()
}

/** Lines that came (`+`) and went (`-`) between two snapshots; empty: nothing was left behind and nothing is missing. */
export const difference = (before: Snapshot, after: Snapshot): readonly string[] => {
  const minus = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`)
  const plus = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`)
  return [...minus, ...plus]
}
