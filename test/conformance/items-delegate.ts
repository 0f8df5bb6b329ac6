/** Items 20, 27, 32, 33, 42, 43: between a plugin and its IPAM plugin. */
import { quote } from '../../addr/error.ts'
import { FAKE_ADDRESS, type FakeCall, type FakeIpam, makeFakeIpam } from './fake-ipam.ts'
import { each, type Item } from './item.ts'
import { demand, refused, same, succeeded } from './outcome.ts'
import type { Attachment, Change, Trial, Verb } from './trial.ts'
import { confOf } from './trial.ts'
import { isAtLeast, type Json, readResult, resultIn } from './version.ts'

const missingDelegate = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const attachment = await trial.attachment()
  const kernelOnly = async (): Promise<readonly string[]> =>
    (await trial.state()).filter((line) => !line.startsWith('file '))
  const before = await kernelOnly()
  await trial.add(attachment)
  const outcome = await trial.call('DEL', attachment, { env: { CNI_PATH: trial.bed.folder } })
  refused('DEL with the IPAM plugin missing', outcome)
  same('DEL with the IPAM plugin missing leaves', before, await kernelOnly())
}

const lastCall = (fake: FakeIpam, command: string): FakeCall => {
  const call = fake.calls().findLast((one) => one.command === command)
  demand(call !== undefined, `the IPAM plugin is not called for ${command}`)
  return call
}

const TRACING = { TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', CNI_EXTRA: 'kept' }

/** stdin in a spelling that no encoder would choose: only a copy is identical. */
const odd = (trial: Trial, verb: Verb, attachment: Attachment, extra: Json): string => {
  const json = { ...confOf(trial, verb, attachment), ...extra }
  return `\n${JSON.stringify(json, null, 3)}\t\n`.replace('"net"', '"n\\u0065t"')
}

const identical = async (trial: Trial, fake: FakeIpam, verb: Verb, attachment: Attachment): Promise<void> => {
  const extra = { ipam: fake.ipam, ...(verb === 'GC' ? { 'cni.dev/valid-attachments': [] } : {}) }
  const stdin = odd(trial, verb, attachment, extra)
  fake.noise(`a word on ${verb}\n`)
  const env = { ...TRACING, CNI_PATH: fake.path, CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAME=web' }
  const outcome = succeeded(verb, await trial.call(verb, attachment, { stdin, env }))
  if (verb === 'ADD') attachment.result = outcome.json ?? {}
  const call = lastCall(fake, verb)
  demand(call.stdin === stdin, `${verb}: the delegate's stdin is not the plugin's: ${quote(call.stdin)}`)
  const sent = { ...env, ...(verb === 'GC' ? {} : { CNI_CONTAINERID: attachment.containerID, CNI_IFNAME: 'eth0' }) }
  const wrong = Object.entries(sent).filter(([name, value]) => call.env[name] !== value)
  demand(wrong.length === 0, `${verb}: the delegate's environment lacks ${quote(wrong)}`)
  demand(outcome.stderr.includes(`a word on ${verb}`), `${verb}: the delegate's stderr is not passed on`)
}

const sameInput = async (trial: Trial): Promise<void> => {
  const fake = makeFakeIpam(trial)
  const attachment = await trial.attachment()
  const verbs: readonly Verb[] = isAtLeast(trial.version, '0.4.0') ? ['ADD', 'CHECK', 'DEL'] : ['ADD', 'DEL']
  await each(verbs, (verb) => identical(trial, fake, verb, attachment))
}

const gcForwarded = async (trial: Trial): Promise<void> => {
  await identical(trial, makeFakeIpam(trial), 'GC', await trial.attachment())
}

const withFake = (fake: FakeIpam): Change => ({ conf: { ipam: fake.ipam }, env: { CNI_PATH: fake.path } })

const noAddress = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const fake = makeFakeIpam(trial)
  const { interfaces, ...empty } = resultIn(trial.version, { interfaces: [], ips: [], routes: [] })
  fake.answer('ADD', 0, empty)
  const attachment = await trial.attachment()
  const before = await trial.state()
  refused('ADD with an IPAM result of 0 addresses', await trial.call('ADD', attachment, withFake(fake)))
  same('ADD with an IPAM result of 0 addresses leaves', before, await trial.state())
  lastCall(fake, 'DEL')
}

const noise = async (trial: Trial): Promise<void> => {
  const fake = makeFakeIpam(trial)
  fake.noise('{"code": 1}\nwarning: \u0000 noise\n'.repeat(2000))
  const attachment = await trial.attachment()
  const added = succeeded('ADD with noise on stderr', await trial.call('ADD', attachment, withFake(fake)))
  const addresses = readResult(added.json).ips.map(({ address }) => address)
  demand(addresses.includes(FAKE_ADDRESS), `the result lacks ${FAKE_ADDRESS}: ${added.stdout}`)
  fake.answer('ADD', 1, { cniVersion: trial.version, code: 11, msg: 'come back later' })
  const failed = refused('ADD refused by IPAM', await trial.call('ADD', await trial.attachment(), withFake(fake)))
  demand(failed.stdout.includes('come back later'), `the error of the delegate is lost: ${failed.stdout}`)
}

const unknownKeys = async (trial: Trial): Promise<void> => {
  const keys = { 'x-vendor': { deep: [1, { a: null }] }, 'future.key': true, comment: 'kept' }
  succeeded('ADD with unknown keys', await trial.call('ADD', await trial.attachment(), { conf: keys }))
  if (trial.profile.kind !== 'main' || trial.profile.plugin === 'loopback') return
  const fake = makeFakeIpam(trial)
  const conf = { ...keys, ipam: { ...fake.ipam, ...keys } }
  succeeded('ADD', await trial.call('ADD', await trial.attachment(), { conf, env: { CNI_PATH: fake.path } }))
  const { ipam, ...received } = JSON.parse(lastCall(fake, 'ADD').stdin)
  // one that makes its delegate's configuration hands on what is meant for that
  const places = trial.profile.delegates === true ? [ipam] : [received, ipam]
  const lost = Object.entries(keys).filter(([key, value]) =>
    places.some((place) => JSON.stringify(place[key]) !== JSON.stringify(value)),
  )
  demand(lost.length === 0, `the delegate does not get ${quote(lost)}`)
}

export const DELEGATE: readonly Item[] = [
  { number: 20, title: 'DEL without the IPAM plugin: error, own cleanup', judge: missingDelegate },
  { number: 27, title: 'GC is forwarded with identical stdin', judge: gcForwarded },
  { number: 32, title: 'delegate: same env and stdin, stderr passed on', judge: sameInput },
  { number: 33, title: 'IPAM result without address: refused, released', judge: noAddress },
  { number: 42, title: 'noise on stderr does not break the protocol', judge: noise },
  { number: 43, title: 'unknown keys tolerated, and kept for delegates', judge: unknownKeys },
]
