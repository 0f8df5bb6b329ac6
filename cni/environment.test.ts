import { expect, test } from 'vitest'
import { parseEnvironment, parseVerb, refuseOwnNetns } from './environment.ts'
import type { Verb } from './plugin.ts'

const full = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/a',
  CNI_IFNAME: 'eth0',
  CNI_ARGS: 'A=B',
  CNI_PATH: '/opt/cni/bin::/usr/lib/cni',
}

test.each(['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'])('parseVerb() knows %s', (verb) =>
  expect(parseVerb(verb)).toBe(verb),
)

test.each(['add', 'toString', 'PING', ' ADD'])('parseVerb() refuses %j, naming the variable and the verbs', (verb) =>
  expect(() => parseVerb(verb)).toThrow(
    expect.objectContaining({
      code: 4,
      message: expect.stringMatching(/CNI_COMMAND.*ADD, CHECK, DEL, GC, STATUS, VERSION/),
    }),
  ),
)

test('parseEnvironment() reads every variable of an attachment; empty folders of CNI_PATH are left out', () => {
  expect(parseEnvironment('ADD', full)).toEqual({
    verb: 'ADD',
    containerID: 'c1',
    netns: '/run/netns/a',
    ifName: 'eth0',
    args: 'A=B',
    path: ['/opt/cni/bin', '/usr/lib/cni'],
  })
})

const REQUIRED: readonly [Verb, readonly string[]][] = [
  ['ADD', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH']],
  ['CHECK', ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH']],
  ['DEL', ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH']],
  ['GC', ['CNI_PATH']],
  ['STATUS', ['CNI_PATH']],
  ['VERSION', []],
]

test.each(REQUIRED)('parseEnvironment() of %s names all of %j in one message when nothing is set', (verb, names) => {
  if (names.length === 0) expect(parseEnvironment(verb, {}).path).toEqual([])
  else expect(() => parseEnvironment(verb, {})).toThrow(`CNI_COMMAND=${verb} needs ${names.join(', ')}`)
})

test.each(REQUIRED.flatMap(([verb, names]) => names.map((name) => [verb, name] as const)))(
  'parseEnvironment() of %s needs %s: empty is as missing',
  (verb, name) =>
    expect(() => parseEnvironment(verb, { ...full, [name]: '' })).toThrow(
      expect.objectContaining({ code: 4, message: `CNI_COMMAND=${verb} needs ${name}, not set or empty` }),
    ),
)

test.each(['GC', 'STATUS', 'VERSION'] as const)('parseEnvironment() of %s does not look at an attachment', (verb) => {
  const { containerID, netns, ifName } = parseEnvironment(verb, { ...full, CNI_CONTAINERID: '../x', CNI_IFNAME: 'a/b' })
  expect([containerID, netns, ifName]).toEqual(['', '', ''])
})

test.each([
  ['CNI_CONTAINERID', '../x'],
  ['CNI_IFNAME', 'much-too-long-a-name'],
])('parseEnvironment() refuses a wrong %s, naming it', (name, value) =>
  expect(() => parseEnvironment('DEL', { ...full, [name]: value })).toThrow(
    expect.objectContaining({ code: 4, message: expect.stringContaining(`${name}: "${value}"`) }),
  ),
)

const own = '/proc/self/ns/net'

test('refuseOwnNetns() refuses the namespace of this process by any path to it', () => {
  for (const path of [own, `/proc/${process.pid}/ns/net`])
    expect(() => refuseOwnNetns(path, {})).toThrow(expect.objectContaining({ code: 8 }))
})

test.each(['', '/run/netns/no-such', '/etc/passwd', '/proc/self/ns/mnt', '/etc/passwd/x', 'a\0b'])(
  'refuseOwnNetns() lets %j pass',
  (path) => expect(() => refuseOwnNetns(path, {})).not.toThrow(),
)

test.each(['1', 'true', 'TRUE'])('refuseOwnNetns() lets it pass with CNI_NETNS_OVERRIDE=%s', (value) =>
  expect(() => refuseOwnNetns(own, { CNI_NETNS_OVERRIDE: value })).not.toThrow(),
)

test.each(['0', '', 'yes'])('refuseOwnNetns() refuses it with CNI_NETNS_OVERRIDE=%j', (value) =>
  expect(() => refuseOwnNetns(own, { CNI_NETNS_OVERRIDE: value })).toThrow('itself runs in'),
)
