/** The executable against what somebody might plant: results of other containers, links and pipes where files should be,
 *  namespaces that are none, names as long as names get, more input than there is sense in. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { outcomeOf } from '../conformance/outcome.ts'
import { PROFILES, type Profile } from '../conformance/profile.ts'
import { hostLocalIn } from '../conformance/profile-main.ts'
import { difference } from '../conformance/state.ts'
import { makeTrial, type Trial } from '../conformance/trial.ts'
import { binDir } from '../support/plugin.ts'
import { protocolProblems } from './judge.ts'

const trials: Trial[] = []
const trialOf = async (plugin: string): Promise<Trial> => {
  const profile = PROFILES.find((one) => one.plugin === plugin) as Profile
  const trial = await makeTrial(binDir(), profile, '1.1.0')
  trials.push(trial)
  return trial
}
afterEach(async () => {
  for (const trial of trials.splice(0)) await trial.bed.remove()
})

describe.each(['bridge', 'ptp', 'flannel', 'vxlan', 'portmap', 'firewall', 'bandwidth', 'tuning', 'host-local'])(
  '%s',
  (plugin) => {
    test('DEL with the result of another container leaves that one alone, and nothing that GC does not find', async () => {
      const trial = await trialOf(plugin)
      const other = await trial.attached()
      const before = await trial.state()
      const own = await trial.attached()
      const outcome = await trial.call('DEL', own, { conf: { prevResult: other.result } })
      expect(outcome.status, outcome.stdout).toBe(0)
      const gone = difference(before, await trial.state()).filter((line) => line.startsWith('-'))
      expect(gone.filter((line) => !line.includes(`pw${own.index}`))).toEqual([])
      expect((await trial.call('CHECK', other)).stdout).toBe('')
      expect((await trial.gc([other])).stdout).toBe('')
      await trial.unplug(own)
      expect(difference(before, await trial.state())).toEqual([])
      expect((await trial.call('CHECK', other)).stdout).toBe('')
    })

    test('names as long as they may be are attached, checked, collected and removed', async () => {
      const trial = await trialOf(plugin)
      await trial.warm()
      const names = { containerID: 'c'.repeat(200), network: 'n'.repeat(200), ifName: 'e'.repeat(15) }
      const before = await trial.state()
      const first = await trial.attached(names)
      expect((await trial.call('CHECK', first)).stdout).toBe('')
      expect((await trial.call('DEL', first)).stdout).toBe('')
      await trial.unplug(first)
      expect(difference(before, await trial.state())).toEqual([])
      const tooLong = await trial.call('ADD', { ...first, containerID: 'c'.repeat(201) })
      expect(tooLong.json?.['code']).toBe(4)
      expect((await trial.call('ADD', { ...first, network: 'n'.repeat(201) })).json?.['code']).toBe(7)
    })
  },
)

const VICTIM = 'do not touch\n'

/** A file outside of the data folder that a planted link leads to. */
const victimIn = (trial: Trial): string => {
  const path = `${trial.bed.folder}/.victim`
  writeFileSync(path, VICTIM)
  chmodSync(path, 0o640)
  return path
}

const IPAM_LINKS = ['10.77.0.2', '10.77.0.3', 'last_reserved_ip.0', 'lock']

test.each(IPAM_LINKS)('host-local follows no symbolic link at %s', async (name) => {
  const trial = await trialOf('host-local')
  const victim = victimIn(trial)
  mkdirSync(`${trial.bed.folder}/ipam/net`, { recursive: true })
  symlinkSync(victim, `${trial.bed.folder}/ipam/net/${name}`)
  const attachment = await trial.attachment()
  const answers = [
    await trial.call('ADD', attachment),
    await trial.call('DEL', attachment),
    await trial.gc([]),
    await trial.call('STATUS', attachment),
  ]
  expect(answers.flatMap(protocolProblems)).toEqual([])
  expect(readFileSync(victim, 'utf8')).toBe(VICTIM)
})

test.each(['owners', 'draft', 'used-10.77.0.0_17'])(
  'host-local follows no symbolic link at .podwire/net/%s',
  async (name) => {
    const trial = await trialOf('host-local')
    const victim = victimIn(trial)
    mkdirSync(`${trial.bed.folder}/ipam/.podwire/net`, { recursive: true })
    symlinkSync(victim, `${trial.bed.folder}/ipam/.podwire/net/${name}`)
    const attachment = await trial.attachment()
    const answers = [await trial.call('ADD', attachment), await trial.call('DEL', attachment), await trial.gc([])]
    expect(answers.flatMap(protocolProblems)).toEqual([])
    expect(readFileSync(victim, 'utf8')).toBe(VICTIM)
  },
)

test('tuning follows no symbolic link where its backup should be', async () => {
  const trial = await trialOf('tuning')
  const victim = victimIn(trial)
  const attachment = await trial.attachment()
  mkdirSync(`${trial.bed.folder}/tuning`)
  symlinkSync(victim, `${trial.bed.folder}/tuning/${attachment.containerID}_eth0.json`)
  const answers = [await trial.call('ADD', attachment), await trial.call('DEL', attachment), await trial.gc([])]
  expect(answers.flatMap(protocolProblems)).toEqual([])
  expect(readFileSync(victim, 'utf8')).toBe(VICTIM)
})

const LIMIT = 8_000

/** The answer, which must come in time. */
const inTime = async (call: Promise<Parameters<typeof protocolProblems>[0]>): Promise<readonly string[]> => {
  const started = performance.now()
  const problems = protocolProblems(await call)
  return performance.now() - started < LIMIT ? problems : [...problems, `took ${performance.now() - started} ms`]
}

/** Paths that are not what they should be: devices, pipes, folders, files, something under a file. */
const oddPaths = (trial: Trial): readonly string[] => {
  const pipe = `${trial.bed.folder}/.pipe`
  execFileSync('mkfifo', [pipe])
  const file = victimIn(trial)
  return [
    pipe,
    file,
    `${file}/under`,
    trial.bed.folder,
    '/dev/zero',
    '/dev/null',
    '/dev/null/under',
    '/proc/self/ns/mnt',
  ]
}

test('resolvConf and dataDir that are no file and no folder are answered in time', async () => {
  const trial = await trialOf('host-local')
  const attachment = await trial.attachment()
  for (const path of oddPaths(trial))
    for (const key of ['resolvConf', 'dataDir']) {
      if (key === 'dataDir' && path === trial.bed.folder) continue
      const conf = { ipam: { ...hostLocalIn(trial.bed), [key]: path } }
      expect([key, path, await inTime(trial.call('ADD', attachment, { conf }))]).toEqual([key, path, []])
      expect([key, path, await inTime(trial.call('DEL', attachment, { conf }))]).toEqual([key, path, []])
    }
}, 60_000)

/** They work on the node alone, whatever CNI_NETNS is. */
const NODE_ONLY = ['portmap', 'firewall']

test.each(PROFILES.filter(({ kind }) => kind !== 'ipam').map(({ plugin }) => plugin))(
  '%s: a CNI_NETNS that is no network namespace is refused by ADD and no obstacle to DEL',
  async (plugin) => {
    const trial = await trialOf(plugin)
    await trial.warm()
    const attachment = await trial.attachment()
    const before = await trial.state()
    for (const CNI_NETNS of [...oddPaths(trial), '/nowhere', 'relative/path', '/proc/1/ns/../../..']) {
      const adding = trial.call('ADD', attachment, { env: { CNI_NETNS } })
      expect([CNI_NETNS, await inTime(adding)]).toEqual([CNI_NETNS, []])
      expect([CNI_NETNS, (await adding).status]).toEqual([CNI_NETNS, NODE_ONLY.includes(plugin) ? 0 : 1])
      const deleting = trial.call('DEL', attachment, { env: { CNI_NETNS } })
      expect([CNI_NETNS, await inTime(deleting)]).toEqual([CNI_NETNS, []])
      expect([CNI_NETNS, (await deleting).stdout]).toEqual([CNI_NETNS, ''])
    }
    expect(difference(before, await trial.state()).filter((line) => !line.includes('.victim'))).toEqual([])
  },
  60_000,
)

test('more input than there is sense in is refused', async () => {
  const trial = await trialOf('loopback')
  const attachment = await trial.attachment()
  const stdin = `{"name":"${'x'.repeat(70 * 2 ** 20)}"}`
  const outcome = await trial.call('ADD', attachment, { stdin })
  expect(outcome.json?.['code']).toBe(5)
})

test('JSON nested deeper than any configuration is an error with a type', async () => {
  const trial = await trialOf('portmap')
  const attachment = await trial.attachment()
  const deep = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`
  for (const stdin of [deep, `{"cniVersion":"1.1.0","name":"net","prevResult":${deep}}`]) {
    const outcome = outcomeOf(await trial.call('ADD', attachment, { stdin }))
    expect(protocolProblems(outcome)).toEqual([])
    expect(outcome.status).toBe(1)
  }
})

/** Fragments that would add a rule of their own if they reached a restore file or a script as they are. */
const INJECTIONS = [
  'x\n-A INPUT -j DROP',
  'x; add table ip pwned',
  '"; drop; "',
  '} add table ip pwned {',
  '-j\u0000DROP',
  '$(touch /tmp/pwned)',
]

test.each(['nftables', 'iptables'])('portmap (%s): conditions reach no rule but their own', async (backend) => {
  const trial = await trialOf('portmap')
  await trial.warm()
  for (const injection of INJECTIONS) {
    const attachment = await trial.attachment()
    const conf = { backend, conditionsV4: backend === 'iptables' ? ['-s', injection] : [`ip saddr ${injection}`] }
    const outcome = await trial.call('ADD', attachment, { conf })
    expect([injection, outcome.status, protocolProblems(outcome)]).toEqual([injection, 1, []])
    await trial.call('DEL', attachment, { conf })
    expect((await trial.state()).filter((line) => /pwned|"chain":"INPUT"/i.test(line))).toEqual([])
  }
})
