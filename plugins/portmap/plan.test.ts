import { expect, test } from 'vitest'
import { parseCidr } from '../../addr/cidr.ts'
import type { Call } from '../../cni/plugin.ts'
import { renderPlan } from '../../kernel/apply.ts'
import { type PortmapConf, parsePortmapConf } from './conf.ts'
import { HOSTPORT_TABLE, hostportTable, TABLE_NAME } from './hostport-table.ts'
import { planPortmap } from './plan.ts'

const owner = { network: 'pods', containerID: 'c1', ifName: 'eth0' }
const ADDRESSES = ['10.9.0.2/24', 'fd00:9::2/64'].map((address) => parseCidr(address))

const confOf = (keys: object, ...portMappings: readonly object[]): PortmapConf =>
  parsePortmapConf({
    conf: { cniVersion: '1.0.0', name: 'pods', type: 'portmap', ...keys, runtimeConfig: { portMappings } },
  } as unknown as Call)

const web = { hostPort: 8080, containerPort: 80, protocol: 'tcp' }

/** The commands of a plan that are not about the table's structure. */
const commands = (conf: PortmapConf, addresses = ADDRESSES, dev: string | undefined = 'cni0'): readonly string[] =>
  renderPlan(planPortmap(conf, owner, addresses, dev))
    .split('\n')
    .filter((line) => !/^nft 'add (table|set|map|chain|rule) /.test(line))

const added = (set: string, elements: string): string =>
  `nft 'add element inet podwire-hostport ${set} { ${elements} }'`
const MINE = 'comment "pods/c1/eth0"'
const LOCALNET = 'sysctl -w net/ipv4/conf/cni0/route_localnet=1'

const PLANS: readonly (readonly [what: string, conf: PortmapConf, commands: readonly string[]])[] = [
  [
    'a port in both families',
    confOf({}, web),
    [
      added('hostports-ipv4', `tcp . 8080 ${MINE} : 10.9.0.2 . 80`),
      added(
        'masquerade-ipv4',
        `10.9.0.2 . tcp . 8080 . 10.9.0.0/24 ${MINE}, 10.9.0.2 . tcp . 8080 . 127.0.0.0/8 ${MINE}`,
      ),
      added('hostports-ipv6', `tcp . 8080 ${MINE} : fd00:9::2 . 80`),
      added('masquerade-ipv6', `fd00:9::2 . tcp . 8080 . fd00:9::/64 ${MINE}`),
      LOCALNET,
    ],
  ],
  [
    'a port on two addresses of the node',
    confOf({}, { ...web, hostIP: '192.0.2.1' }, { ...web, hostIP: '192.0.2.2' }),
    [
      added(
        'hostip-hostports-ipv4',
        `192.0.2.1 . tcp . 8080 ${MINE} : 10.9.0.2 . 80, 192.0.2.2 . tcp . 8080 ${MINE} : 10.9.0.2 . 80`,
      ),
      added(
        'masquerade-ipv4',
        `10.9.0.2 . tcp . 8080 . 10.9.0.0/24 ${MINE}, 10.9.0.2 . tcp . 8080 . 127.0.0.0/8 ${MINE}`,
      ),
      LOCALNET,
    ],
  ],
  [
    'a port on every IPv6 address, over SCTP, masquerading everything',
    confOf({ masqAll: true }, { ...web, protocol: 'SCTP', hostIP: '::' }),
    [
      added('hostports-ipv6', `sctp . 8080 ${MINE} : fd00:9::2 . 80`),
      added('masquerade-ipv6', `fd00:9::2 . sctp . 8080 . ::/0 ${MINE}`),
    ],
  ],
  [
    'a port without masquerade',
    confOf({ snat: false }, web),
    [
      added('hostports-ipv4', `tcp . 8080 ${MINE} : 10.9.0.2 . 80`),
      added('hostports-ipv6', `tcp . 8080 ${MINE} : fd00:9::2 . 80`),
    ],
  ],
  ['nothing', confOf({}), ['']],
]
test.for(PLANS)('planPortmap() of %s', ([, conf, expected]) => {
  expect(commands(conf)).toEqual(expected)
})

test('planPortmap() leaves out a family the pod has no address of, and all without one', () => {
  const [ipv4] = ADDRESSES
  const conf = confOf({}, { ...web, hostIP: '::' })
  expect(planPortmap(conf, owner, ipv4 === undefined ? [] : [ipv4], 'cni0')).toEqual([])
  expect(planPortmap(confOf({}, web), owner, [], undefined)).toEqual([])
})

test('planPortmap() leads to the first address of a family', () => {
  const two = ['10.9.0.2/24', '10.9.1.3/24'].map((address) => parseCidr(address))
  expect(commands(confOf({ snat: false }, web), two, undefined)).toEqual([
    added('hostports-ipv4', `tcp . 8080 ${MINE} : 10.9.0.2 . 80`),
  ])
})

const CHAIN = /CNI-DN-[0-9a-f]{21}/g
test('planPortmap() with iptables: the chains of the reference plugin, narrow ports first', () => {
  const conf = confOf({ backend: 'iptables' }, web, { ...web, hostPort: 443, hostIP: '192.0.2.1' })
  const [ipv4] = ADDRESSES
  const text = commands(conf, ipv4 === undefined ? [] : [ipv4])
    .map((line) => line.replaceAll(CHAIN, 'CNI-DN'))
    .filter((line) => !/ -N | -F |--set-xmark|CNI-HOSTPORT-MASQ|addrtype/.test(line))
  const comment = '-m comment --comment "dnat name: \\"pods\\" id: \\"c1\\""'
  const at = (rest: string): string => `iptables -t nat ${rest}`
  expect(text.sort()).toEqual(
    [
      at('-A CNI-DN -s 10.9.0.0/24 -d 192.0.2.1 -p tcp -m tcp --dport 443 -j CNI-HOSTPORT-SETMARK'),
      at('-A CNI-DN -s 127.0.0.1/32 -d 192.0.2.1 -p tcp -m tcp --dport 443 -j CNI-HOSTPORT-SETMARK'),
      at('-A CNI-DN -d 192.0.2.1 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.9.0.2:80'),
      at('-A CNI-DN -s 10.9.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK'),
      at('-A CNI-DN -s 127.0.0.1/32 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK'),
      at('-A CNI-DN -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.9.0.2:80'),
      at('-A CNI-DN -m comment --comment pods/c1/eth0'),
      at(`-A CNI-HOSTPORT-DNAT -p tcp ${comment} -m multiport --dports 443 -j CNI-DN`),
      at(`-A CNI-HOSTPORT-DNAT -p tcp ${comment} -m multiport --dports 8080 -j CNI-DN`),
      LOCALNET,
    ].sort(),
  )
})

test('planPortmap() with iptables: fifteen ports in a rule, no marks of our own beside an external chain', () => {
  const many = Array.from({ length: 16 }, (_, i) => ({ ...web, hostPort: 1000 + i }))
  const text = commands(confOf({ externalSetMarkChain: 'KUBE-MARK-MASQ' }, ...many), ADDRESSES.slice(0, 1)).join('\n')
  expect(text.match(/--dports [\d,]+/g)?.map((list) => list.split(',').length)).toEqual([15, 1])
  expect(text).toContain('-j KUBE-MARK-MASQ')
  expect(text).not.toContain('CNI-HOSTPORT-SETMARK')
})

test('hostportTable() is one for all networks without conditions, and each network’s own with them', () => {
  expect(hostportTable('a', { 4: [], 6: [] })).toBe(HOSTPORT_TABLE)
  const conditions = { 4: ['ip daddr 192.0.2.1'], 6: [] }
  const names = [
    hostportTable('a', conditions),
    hostportTable('b', conditions),
    hostportTable('a', { 4: ['ip daddr 192.0.2.2'], 6: [] }),
    hostportTable('a', conditions),
  ].map(({ name }) => name)
  expect(new Set(names).size).toBe(3)
  expect(names[3]).toBe(names[0])
  expect(names.every((name) => name.startsWith(`${TABLE_NAME}-`))).toBe(true)
})
