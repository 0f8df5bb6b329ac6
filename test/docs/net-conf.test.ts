/** docs/node-layer.md and the network configuration agree: its example is one, and its tables have every key that is looked at,
 *  and no other. */
import { expect, test } from 'vitest'
import type { Json, JsonObject } from '../../cni/plugin.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { blocksOf, readDocument } from './document.ts'

const PAGE = readDocument(`${import.meta.dirname}/../../docs/node-layer.md`)

/** The part of the page below a heading, up to the next one. */
const section = (heading: string): string => PAGE.split(`\n${heading}\n`)[1]?.split(/\n##+ /)[0] ?? ''

/** The keys in the first column of the tables below a heading. */
const listed = (heading: string): string[] =>
  section(heading)
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, key = '']) => key))
    .sort()

/** No key takes all of these: one of them is refused where the key is looked at. */
const WRONG: readonly Json[] = [{}, '?', -1]
const GOOD: JsonObject = {
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:244::/48',
}
const isRefused = (conf: JsonObject): boolean => {
  try {
    parseNetConf(JSON.stringify(conf))
    return false
  } catch {
    return true
  }
}

const TOP = ['Network', 'EnableIPv4', 'SubnetLen', 'SubnetMin', 'SubnetMax', 'IPv6Network', 'EnableIPv6']
const IPV6 = ['IPv6SubnetLen', 'IPv6SubnetMin', 'IPv6SubnetMax', 'EnableNFTables', 'Backend']
/** Every key that a backend of flannel's has on Linux: Documentation/backends.md. */
const KEYS = ['VNI', 'Port', 'MTU', 'GBP', 'Learning', 'DirectRouting', 'PSK', 'ListenPort', 'ListenPortV6', 'Mode']
const OF_BACKENDS = [
  ...KEYS,
  'PersistentKeepaliveInterval',
  'UDPEncap',
  'ESPProposal',
  'AccessKeyID',
  'MacPrefix',
  'Name',
]

test('the example is a network configuration', () => {
  const [example] = blocksOf(section('## Network configuration'))
  expect(parseNetConf(example?.text ?? '').backend).toMatchObject({ kind: 'vxlan', directRouting: true })
})

test('the table of the network configuration has every key, and each is looked at', () => {
  expect(listed('## Network configuration')).toEqual([...TOP, ...IPV6].sort())
  for (const key of [...TOP, ...IPV6])
    expect(
      WRONG.some((value) => isRefused({ ...GOOD, [key]: value })),
      key,
    ).toBe(true)
})

test.for(['vxlan', 'host-gw', 'wireguard', 'ipip'])('the table of %s has the keys that are looked at', (type) => {
  const families = type === 'ipip' ? { Network: '10.244.0.0/16' } : GOOD
  const looked = OF_BACKENDS.filter((key) =>
    WRONG.some((value) => isRefused({ ...families, Backend: { Type: type, [key]: value } })),
  )
  expect(listed(`### ${type}`)).toEqual(looked.sort())
})
