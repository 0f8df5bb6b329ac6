/** iptables facts against the real programs, both variants, in namespaces made here. */
import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { type Cidr, parseCidr } from '../../addr/cidr.ts'
import { CniError } from '../../cni/error.ts'
import { apply, driftOf } from '../../kernel/apply.ts'
import { type IptablesFact, iptablesOperations } from '../../kernel/iptables.ts'
import { chainNameOf, iptablesComment } from '../../kernel/iptables-names.ts'
import { withKernel } from '../../kernel/kernel.ts'
import {
  collectMasqueradeIptables,
  masqueradeIptables,
  removeMasqueradeIptables,
} from '../../kernel/masquerade-iptables.ts'
import { within } from '../support/in-process.ts'
import { difference, snapshot } from '../support/leftovers.ts'
import { inside, makeNetns, mustIn, shellIn } from '../support/netns.ts'

const owner = { network: 'net', containerID: 'cid', ifName: 'eth0' }
const cidrs = (...texts: readonly string[]): Cidr[] => texts.map((text) => parseCidr(text))
const inNode = <T>(node: string, use: (kernel: Parameters<Parameters<typeof withKernel>[1]>[0]) => T): T =>
  within(node, () => withKernel('', use))
/** Without the counters, the comments and the built-in chains. */
const saved = (node: string, program: string): string[] =>
  mustIn(node, [program])
    .split('\n')
    .filter((line) => /^-A|^:.* - /.test(line))
    .map((line) => line.replace(/ \[.*/, ''))

const COMMENT = `-m comment --comment "name: \\"net\\" id: \\"cid\\""`
const CHAIN = chainNameOf(owner)

test.for(['nft', 'legacy'] as const)('masqueradeIptables() is the layout of the reference plugins (%s)', (variant) => {
  const node = makeNetns('masq')
  for (const tool of ['iptables', 'ip6tables'])
    shellIn(node, `${tool}-${variant} -t nat -N OTHERS; ${tool}-${variant} -t nat -A POSTROUTING -j OTHERS`)
  const before = snapshot(node)
  const plan = masqueradeIptables(owner, cidrs('10.1.2.3/24', 'fd00::3/64'))
  inNode(node, (kernel) => apply(plan, kernel))
  expect(saved(node, `iptables-${variant}-save`)).toEqual([
    `:${CHAIN} -`,
    ':OTHERS -',
    '-A POSTROUTING -j OTHERS',
    `-A POSTROUTING -s 10.1.2.3/32 ${COMMENT} -j ${CHAIN}`,
    `-A ${CHAIN} -d 10.1.2.0/24 ${COMMENT} -j ACCEPT`,
    `-A ${CHAIN} ! -d 224.0.0.0/4 ${COMMENT} -j MASQUERADE`,
    `-A ${CHAIN} -s 10.1.2.3/32 -m comment --comment "net/cid/eth0"`,
  ])
  expect(saved(node, `ip6tables-${variant}-save`)).toContain(`-A ${CHAIN} ! -d ff00::/8 ${COMMENT} -j MASQUERADE`)
  expect(inNode(node, (kernel) => driftOf(plan, kernel))).toEqual([])
  const once = snapshot(node)
  inNode(node, (kernel) => apply(plan, kernel))
  expect(difference(once, snapshot(node))).toEqual([])
  inNode(node, (kernel) => removeMasqueradeIptables(owner, kernel))
  expect(difference(before, snapshot(node))).toEqual([])
})

test('drift() names the rule that somebody deleted', () => {
  const node = makeNetns('drift')
  const plan = masqueradeIptables(owner, cidrs('10.1.2.3/24'))
  expect(inNode(node, (kernel) => driftOf(plan, kernel))).toEqual(['iptables table nat does not exist'])
  inNode(node, (kernel) => apply(plan, kernel))
  shellIn(node, `iptables-nft -t nat -D ${CHAIN} 2`)
  expect(inNode(node, (kernel) => driftOf(plan, kernel))).toEqual([
    `iptables table nat lacks rule -A ${CHAIN} ! -d 224.0.0.0/4 ${COMMENT} -j MASQUERADE`,
  ])
})

const fact = (rules: IptablesFact['rules'], chains: IptablesFact['chains'] = []): IptablesFact => ({
  kind: 'iptables',
  ns: 'node',
  family: 4,
  table: 'filter',
  owner,
  chains,
  shared: ['TOP'],
  rules,
})

test('a plan that fails half-way is taken back, shared chains excepted', () => {
  const node = makeNetns('undo')
  shellIn(node, 'iptables-nft -N OTHERS')
  const good = fact(
    [{ chain: 'FORWARD', rule: '-s 10.0.0.1 -j OWN', position: 'first' }],
    [{ name: 'OWN', rules: ['-j TOP'] }],
  )
  const bad = fact([{ chain: 'FORWARD', rule: '-j NO-SUCH-CHAIN', position: 'last' }])
  expect(() => inNode(node, (kernel) => apply([good, bad], kernel))).toThrow(
    expect.objectContaining({ code: 102, details: expect.stringContaining('NO-SUCH-CHAIN') }),
  )
  expect(saved(node, 'iptables-nft-save')).toEqual([':OTHERS -', ':TOP -'])
})

test('rules go into the variant that holds rules already', () => {
  const node = makeNetns('variant')
  shellIn(node, 'iptables-legacy -t nat -A OUTPUT -j ACCEPT')
  inNode(node, (kernel) => apply(masqueradeIptables(owner, cidrs('10.1.2.3/24', 'fd00::3/64')), kernel))
  expect(saved(node, 'iptables-legacy-save')).toContain(`:${CHAIN} -`)
  expect(saved(node, 'iptables-nft-save')).not.toContain(`:${CHAIN} -`)
  expect(saved(node, 'ip6tables-nft-save')).toContain(`:${CHAIN} -`)
})

test('remove() forks nothing when there is no such chain', () => {
  const node = makeNetns('nofork')
  shellIn(node, 'iptables-nft -t nat -A OUTPUT -j ACCEPT; ip6tables-nft -t nat -A OUTPUT -j ACCEPT')
  const path = process.env.PATH
  const builtin = process.getBuiltinModule
  try {
    process.getBuiltinModule = (() => {
      throw new Error('a process was forked')
    }) as typeof builtin
    inNode(node, (kernel) => removeMasqueradeIptables(owner, kernel))
    expect(() => inNode(node, (kernel) => apply(masqueradeIptables(owner, cidrs('10.1.2.3/24')), kernel))).toThrow(
      'forked',
    )
  } finally {
    process.getBuiltinModule = builtin
  }
  expect(process.env.PATH).toBe(path)
})

test('two attachments of one container on one network come and go one by one', () => {
  const node = makeNetns('two')
  const first = masqueradeIptables(owner, cidrs('10.1.2.3/24'))
  const second = masqueradeIptables({ ...owner, ifName: 'eth1' }, cidrs('10.1.3.3/24'))
  inNode(node, (kernel) => apply([...first, ...second], kernel))
  expect(inNode(node, (kernel) => driftOf([...first, ...second], kernel))).toEqual([])
  inNode(node, (kernel) => removeMasqueradeIptables(owner, kernel))
  expect(inNode(node, (kernel) => driftOf(second, kernel))).toEqual([])
  expect(mustIn(node, ['iptables-nft-save'])).not.toContain('10.1.2.3')
  inNode(node, (kernel) => removeMasqueradeIptables({ ...owner, ifName: 'eth1' }, kernel))
  expect(saved(node, 'iptables-nft-save')).toEqual([])
})

test('GC removes what no valid attachment owns, of this network, ours and the reference plugins', () => {
  const node = makeNetns('gc')
  const gone = { ...owner, containerID: 'gone' }
  const elsewhere = { ...owner, network: 'other', containerID: 'gone' }
  const theirs = { network: 'net', containerID: 'theirs' }
  const comment = iptablesComment(theirs).replaceAll('"', '\\"')
  shellIn(
    node,
    `iptables-nft -t nat -N ${chainNameOf(theirs)}
     iptables-nft -t nat -A ${chainNameOf(theirs)} -d 10.1.0.0/16 -m comment --comment "${comment}" -j ACCEPT
     iptables-nft -t nat -A POSTROUTING -s 10.1.2.9 -m comment --comment "${comment}" -j ${chainNameOf(theirs)}`,
  )
  const kept = [owner, elsewhere].flatMap((each) => masqueradeIptables(each, cidrs('10.1.2.3/24')))
  inNode(node, (kernel) => apply([...kept, ...masqueradeIptables(gone, cidrs('10.1.2.4/24'))], kernel))
  inNode(node, (kernel) => collectMasqueradeIptables('net', [owner], kernel))
  expect(inNode(node, (kernel) => driftOf(kept, kernel))).toEqual([])
  expect(saved(node, 'iptables-nft-save').filter((line) => line.startsWith(':'))).toHaveLength(2)
  inNode(node, (kernel) => collectMasqueradeIptables('net', [{ ...owner, ifName: 'net1' }], kernel))
  expect(saved(node, 'iptables-nft-save').filter((line) => line.startsWith(':'))).toEqual([
    `:${chainNameOf(elsewhere)} -`,
  ])
})

const ROOT = `${import.meta.dirname}/../..`
/** A TypeScript program run by Node in the namespace, in this checkout's folder. */
const startScript = (node: string, script: string, ...args: readonly string[]) => {
  const argv = [process.execPath, '--import', 'tsx', '--input-type=module', '-e', script, ...args]
  const [file = '', ...rest] = inside(node, argv)
  return spawn(file, rest, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
}

test('the xtables lock is waited for with a bound, then code 11 asks the runtime to try again', () => {
  const node = makeNetns('lock')
  shellIn(node, 'iptables-legacy -t nat -A OUTPUT -j ACCEPT')
  const holder = spawn('flock', ['/run/xtables.lock', 'sleep', '30'], { detached: true, stdio: 'ignore' })
  const stop = () => process.kill(-(holder.pid ?? 0))
  try {
    shellIn(node, 'until ! flock -n /run/xtables.lock true; do sleep 0.01; done')
    const caught = (() => {
      try {
        return inNode(node, (kernel) => apply(masqueradeIptables(owner, cidrs('10.1.2.3/24')), kernel))
      } catch (error) {
        return error
      }
    })()
    expect(caught).toBeInstanceOf(CniError)
    expect(caught).toMatchObject({ code: 11, message: expect.stringContaining('xtables lock') })
  } finally {
    stop()
  }
})

test('a process that is killed while its program runs keeps others out until the program has ended', async () => {
  const node = makeNetns('killed')
  shellIn(node, 'iptables-legacy -t nat -A OUTPUT -j ACCEPT')
  const holder = spawn('flock', ['/run/xtables.lock', 'sh', '-c', 'read go; sleep 1'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  try {
    shellIn(node, 'until ! flock -n /run/xtables.lock true; do sleep 0.01; done')
    const script = `
      import { parseCidr } from './addr/cidr.ts'
      import { apply } from './kernel/apply.ts'
      import { withKernel } from './kernel/kernel.ts'
      import { masqueradeIptables } from './kernel/masquerade-iptables.ts'
      withKernel('', (kernel) => apply(masqueradeIptables(${JSON.stringify(owner)}, [parseCidr('10.1.2.3/24')]), kernel))`
    const child = startScript(node, script)
    // it waits for the xtables lock by now
    shellIn(node, `timeout 50 sh -c 'until pgrep -P ${child.pid} -f restore; do sleep 0.01; done'`)
    const ended = new Promise((resolve) => child.on('exit', resolve))
    child.kill('SIGKILL')
    await ended
    holder.stdin?.write('go\n')
    inNode(node, (kernel) => removeMasqueradeIptables(owner, kernel))
    shellIn(node, 'flock /run/xtables.lock sleep 0.2')
    expect(saved(node, 'iptables-legacy-save')).not.toContain(`:${CHAIN} -`)
  } finally {
    holder.stdin?.end()
  }
})

test('many processes write at once and no rule is lost or doubled', async () => {
  const node = makeNetns('many')
  const script = `
    import { apply } from './kernel/apply.ts'
    import { withKernel } from './kernel/kernel.ts'
    const n = process.argv.at(-1)
    const owner = { network: 'net', containerID: 'c' + n, ifName: 'eth0' }
    const rules = [{ chain: 'FORWARD', rule: '-j TOP', position: 'first', shared: true }, { chain: 'TOP', rule: '-s 10.0.0.' + n + ' -j ACCEPT', position: 'last' }]
    withKernel('', (kernel) => apply([{ kind: 'iptables', ns: 'node', family: 4, table: 'filter', owner, chains: [{ name: 'OWN-' + n, rules: ['-j TOP'] }], shared: ['TOP'], rules }], kernel))`
  const runs = Array.from(
    { length: 12 },
    (_, i) => new Promise<number | null>((resolve) => startScript(node, script, String(i + 1)).on('exit', resolve)),
  )
  expect(new Set(await Promise.all(runs))).toEqual(new Set([0]))
  const lines = saved(node, 'iptables-nft-save')
  expect(lines.filter((line) => line === '-A FORWARD -j TOP')).toHaveLength(1)
  expect(lines.filter((line) => line.startsWith('-A TOP'))).toHaveLength(12)
  expect(lines.filter((line) => line.startsWith(':OWN'))).toHaveLength(12)
}, 120_000)

test('render() prints the commands', () => {
  expect(
    iptablesOperations.render(
      fact([{ chain: 'FORWARD', rule: '-j TOP', position: 'last' }], [{ name: 'OWN', rules: ['-j TOP'] }]),
    ),
  ).toBe(
    'iptables -t filter -N TOP\niptables -t filter -N OWN\niptables -t filter -A OWN -j TOP\niptables -t filter -A FORWARD -j TOP',
  )
})
