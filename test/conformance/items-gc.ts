/** Items 25, 26, 28 to 31: STATUS and GC. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { makeFakeIpam } from './fake-ipam.ts'
import { each, type Item } from './item.ts'
import { demand, noneLeft, refused, same, succeeded } from './outcome.ts'
import { hostLocalIn } from './profile-main.ts'
import type { Trial } from './trial.ts'

const SINGLE = [[{ subnet: '10.88.0.0/29', rangeStart: '10.88.0.2', rangeEnd: '10.88.0.2' }]]

const unavailableDelegate = async (trial: Trial): Promise<void> => {
  const fake = makeFakeIpam(trial)
  const error = { cniVersion: trial.version, code: 50, msg: 'no addresses today' }
  fake.answer('STATUS', 1, error)
  const change = { conf: { ipam: fake.ipam }, env: { CNI_PATH: fake.path } }
  refused('STATUS with a delegate that says 50', await trial.call('STATUS', await trial.attachment(), change), [50])
}

const exhaustedPool = async (trial: Trial): Promise<void> => {
  const { smallPool } = trial.profile
  const conf = smallPool?.(trial.bed) ?? { ipam: { ...hostLocalIn(trial.bed), ranges: SINGLE }, isGateway: false }
  const attachment = await trial.attachment()
  succeeded('STATUS with a free address', await trial.call('STATUS', attachment, { conf }))
  await trial.add(attachment, { conf })
  refused('STATUS with the pool exhausted', await trial.call('STATUS', attachment, { conf }), [50])
}

const status = async (trial: Trial): Promise<void> => {
  succeeded('STATUS', await trial.call('STATUS', await trial.attachment()))
  const { conf, smallPool } = trial.profile
  const hasPool = smallPool !== undefined || JSON.stringify(conf(trial.bed, 0)).includes('host-local')
  const cases = [
    ...(trial.profile.kind === 'main' && hasPool ? [unavailableDelegate] : []),
    ...(hasPool ? [exhaustedPool] : []),
  ]
  await each(cases, (body) => body(trial))
}

const stale = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const kept = await trial.attached()
  const before = await trial.state()
  const gone = await trial.attached()
  succeeded('GC', await trial.gc([kept]))
  await trial.unplug(gone)
  same('GC that keeps one of two leaves', before, await trial.state())
  succeeded('CHECK of the one kept', await trial.call('CHECK', kept))
}

const absentList = async (trial: Trial): Promise<void> => {
  await trial.attached()
  const before = await trial.state()
  const change = { conf: { 'cni.dev/valid-attachments': undefined, 'cni.dev/attachments': undefined } }
  refused('GC without a list', await trial.gc([], change))
  same('GC without a list changes', before, await trial.state())
}

const emptyList = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const elsewhere = await trial.attachment({ network: 'other' })
  await trial.add(elsewhere, { conf: trial.profile.otherNetwork?.(trial.bed) ?? {} })
  const before = await trial.state()
  const stale = [await trial.attached(), await trial.attached()]
  succeeded('GC with an empty list', await trial.gc([]))
  for (const one of stale) await trial.unplug(one)
  noneLeft('GC with an empty list leaves', before, await trial.state())
  const conf = trial.profile.otherNetwork?.(trial.bed) ?? {}
  succeeded('CHECK in another network after GC', await trial.call('CHECK', elsewhere, { conf }))
}

/** Reservations as host-local wrote them before 0.7: the container id alone. */
const oldFormat = async (trial: Trial): Promise<void> => {
  const folder = `${trial.bed.folder}/ipam/net`
  mkdirSync(folder, { recursive: true })
  const kept = await trial.attachment()
  writeFileSync(`${folder}/10.77.0.50`, kept.containerID)
  writeFileSync(`${folder}/10.77.0.51`, 'gone-long-ago')
  succeeded('GC', await trial.gc([kept]))
  demand(existsSync(`${folder}/10.77.0.50`), 'GC removed the reservation of a valid container')
  demand(!existsSync(`${folder}/10.77.0.51`), 'GC left the reservation of a container that is gone')
}

const pastErrors = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const fake = makeFakeIpam(trial)
  const change = { conf: { ipam: fake.ipam }, env: { CNI_PATH: fake.path } }
  const attachment = await trial.attachment()
  const before = await trial.state()
  await trial.add(attachment, change)
  fake.answer('GC', 1, { cniVersion: trial.version, code: 11, msg: 'the store is away' })
  const outcome = refused('GC with a delegate that fails', await trial.gc([], change))
  demand(outcome.stdout.includes('the store is away'), `the error does not say what failed: ${outcome.stdout}`)
  noneLeft('GC with a delegate that fails leaves', before, await trial.state())
}

export const GC: readonly Item[] = [
  { number: 25, title: 'STATUS: ready; 50 when ADD could not work', judge: status },
  { number: 26, title: 'GC removes what is stale and nothing else', judge: stale },
  { number: 28, title: 'GC without a list: error, nothing removed', judge: absentList },
  { number: 29, title: 'GC with an empty list removes the network', judge: emptyList },
  { number: 30, title: 'GC of reservations without interface name', judge: oldFormat },
  { number: 31, title: 'GC continues past errors and reports them', judge: pastErrors },
]
