/** Items 36 to 40: many at once, a reboot, a kill, two attachments of one container. */
import { rmSync } from 'node:fs'
import { addKilled } from '../crash/kill.ts'
import { each, type Item } from './item.ts'
import { demand, noneLeft, same, succeeded } from './outcome.ts'
import { hostLocalIn } from './profile-main.ts'
import { filesIn } from './state.ts'
import type { Attachment, Trial } from './trial.ts'
import { isAtLeast, type Json, readResult } from './version.ts'

const PARALLEL = 16

const attachments = async (trial: Trial, count: number): Promise<readonly Attachment[]> => {
  const list: Attachment[] = []
  for (let i = 0; i < count; i++) list.push(await trial.attachment())
  return list
}

/** static gives every container the address it is told. */
const noDuplicates = ({ profile }: Trial, list: readonly Attachment[]): void => {
  const addresses = list.flatMap(({ result }) => readResult(result).ips.map(({ address }) => address))
  const isShared = profile.plugin === 'static' || profile.plugin === 'loopback'
  const duplicates = addresses.filter((address, i) => addresses.indexOf(address) !== i)
  demand(isShared || duplicates.length === 0, `given twice: ${duplicates.join(', ')}`)
}

const addAll = (trial: Trial, list: readonly Attachment[]): Promise<unknown> =>
  Promise.all(list.map((one) => trial.add(one)))

const delAll = (trial: Trial, list: readonly Attachment[]): Promise<unknown> =>
  Promise.all(list.map(async (one) => succeeded('DEL', await trial.call('DEL', one))))

const parallelAdds = async (trial: Trial): Promise<void> => {
  const list = await attachments(trial, PARALLEL)
  await addAll(trial, list)
  noDuplicates(trial, list)
  if (isAtLeast(trial.version, '0.4.0'))
    await each(list, async (one) => void succeeded('CHECK', await trial.call('CHECK', one)))
}

const parallelMix = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const before = await trial.state()
  const list = await attachments(trial, PARALLEL)
  const [old, young] = [list.slice(0, PARALLEL / 2), list.slice(PARALLEL / 2)]
  await addAll(trial, old)
  await Promise.all([addAll(trial, young), delAll(trial, old)])
  noDuplicates(trial, young)
  await delAll(trial, young)
  for (const one of list) await trial.unplug(one)
  same('parallel ADD and DEL leave', before, await trial.state())
}

const reboot = async (trial: Trial): Promise<void> => {
  const [first, second] = [await trial.attached(), await trial.attached()]
  await trial.bed.reboot()
  await trial.profile.prepareNode?.(trial.bed)
  await trial.warm()
  const before = await trial.state()
  rmSync(`${trial.bed.folder}/tuning`, { recursive: true, force: true })
  succeeded('DEL after a reboot', await trial.call('DEL', first))
  if (isAtLeast(trial.version, '1.1.0')) succeeded('GC after a reboot', await trial.gc([]))
  else succeeded('DEL after a reboot', await trial.call('DEL', second))
  const isKernel = (line: string): boolean => !line.startsWith('file ')
  noneLeft('what follows a reboot leaves', before.filter(isKernel), (await trial.state()).filter(isKernel))
  const files = filesIn(trial.bed.folder)
  demand(files.length === 0, `after a reboot these files are left: ${files.join('; ')}`)
}

const KILLS = 6

const killed = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await trial.attached()
  for (let i = 0; i < KILLS; i++) {
    const before = await trial.state()
    const attachment = await trial.attachment()
    const where = await addKilled(trial, attachment, (i + 0.5) / KILLS)
    succeeded(`DEL of an ADD killed at ${where}`, await trial.call('DEL', attachment))
    await trial.unplug(attachment)
    same(`an ADD killed at ${where}, then DEL, leaves`, before, await trial.state())
  }
}

/** No route twice in one namespace. */
const withoutRoutes = (trial: Trial, network: string): Json => {
  const conf = trial.profile.conf(trial.bed, 0)
  const other = network === 'net' ? {} : (trial.profile.otherNetwork?.(trial.bed) ?? {})
  const ipam = { ...hostLocalIn(trial.bed), ...(other['ipam'] as Json | undefined) }
  return JSON.stringify(conf['ipam'] ?? '').includes('host-local') ? { ...other, ipam } : other
}

const secondAttachment = async (trial: Trial, first: Attachment, network: string): Promise<void> => {
  const { pod, containerID } = first
  const before = await trial.state()
  const second = await trial.attachment({ pod, containerID, ifName: network === 'net' ? 'eth1' : 'eth2', network })
  const conf = withoutRoutes(trial, network)
  await trial.add(second, { conf })
  succeeded('DEL of the second', await trial.call('DEL', second, { conf }))
  await trial.unplug(second)
  same(`ADD and DEL of a second attachment (network ${network}) leave`, before, await trial.state())
  if (isAtLeast(trial.version, '0.4.0')) {
    const outcome = await trial.call('CHECK', first, { conf: withoutRoutes(trial, 'net') })
    succeeded(`CHECK of the first after DEL of the second (network ${network})`, outcome)
  }
}

/** As `warm`, for the second network. */
const warmOther = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment({ network: 'other', containerID: 'warm' })
  const conf = withoutRoutes(trial, 'other')
  await trial.call('ADD', attachment, { conf })
  await trial.call('DEL', attachment, { conf })
  await trial.bed.removePod(attachment.pod)
}

const twoAttachments = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await warmOther(trial)
  const first = await trial.attachment()
  await trial.add(first, { conf: withoutRoutes(trial, 'net') })
  await each(['net', 'other'], (network) => secondAttachment(trial, first, network))
}

export const LOAD: readonly Item[] = [
  { number: 36, title: `${PARALLEL} parallel ADDs`, judge: parallelAdds },
  { number: 37, title: 'parallel ADD and DEL', judge: parallelMix },
  { number: 38, title: 'reboot, then DEL and GC', judge: reboot },
  { number: 39, title: 'ADD killed, then DEL', judge: killed },
  { number: 40, title: 'two attachments of one container', judge: twoAttachments },
]
