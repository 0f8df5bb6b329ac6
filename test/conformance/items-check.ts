/** Items 21 to 24: CHECK says yes to what ADD left and no to damage. */
import { ruleKeys } from './damage.ts'
import { each, type Item } from './item.ts'
import { demand, refused, succeeded } from './outcome.ts'
import type { Drift } from './profile.ts'
import type { Trial } from './trial.ts'
import { type Facts, type Json, readResult } from './version.ts'

const rightAfter = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attached()
  succeeded('CHECK right after ADD', await trial.call('CHECK', attachment))
}

/** The name of the host's end: the interface of the node that is no bridge of ours. */
const hostEndOf = ({ interfaces }: Facts): string =>
  interfaces.find(({ name, sandbox }) => !sandbox && !name.startsWith('pwbr'))?.name ?? ''

const driftNoticed = async (trial: Trial, { what, damage }: Drift): Promise<void> => {
  const attachment = await trial.attachment()
  const [before, rulesBefore] = [await trial.state(), await ruleKeys(trial.bed)]
  await trial.add(attachment)
  const after = await trial.state()
  const facts = readResult(attachment.result)
  const { pod, ifName, containerID } = attachment
  const place = { ...trial, pod, ifName, containerID, facts, hostEnd: hostEndOf(facts), before, after, rulesBefore }
  const conf = await damage(place).catch((error: Error) => demand(false, `${what}: ${error.message.slice(0, 200)}`))
  const outcome = await trial.call('CHECK', attachment, conf === undefined ? {} : { conf })
  refused(`CHECK (${what})`, outcome)
  await trial.call('DEL', attachment)
  await trial.bed.removePod(pod)
}

const drift = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await each(trial.profile.drifts, (one) => driftNoticed(trial, one))
}

const MAC = '02:99:99:99:99:99'

/** What tuning does behind the plugin: another MAC and MTU, the MAC in the result. */
const tuned = (result: Json, ifName: string): Json => {
  const interfaces = (result['interfaces'] as readonly Json[]).map((one) =>
    one['name'] === ifName && one['sandbox'] ? { ...one, mac: MAC } : one,
  )
  return { ...result, interfaces }
}

const tolerant = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attached()
  const { pod, ifName } = attachment
  await trial.bed.shell(
    `ip link set ${ifName} address ${MAC} mtu 1300; ip route add 192.0.2.0/24 via 10.77.0.1; ip route add 10.44.0.0/16 dev ${ifName}`,
    pod.netns,
  )
  const prevResult = tuned(attachment.result ?? {}, ifName)
  const outcome = await trial.call('CHECK', attachment, { conf: { prevResult } })
  succeeded("CHECK with tuning's MAC and MTU and extra routes", outcome)
}

const noPrevResult = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attached()
  const outcome = await trial.call('CHECK', attachment, { conf: { prevResult: undefined } })
  refused('CHECK without prevResult', outcome)
}

export const CHECK: readonly Item[] = [
  { number: 21, title: 'CHECK right after ADD passes', judge: rightAfter },
  { number: 22, title: 'CHECK notices damage', judge: drift },
  { number: 23, title: "CHECK tolerates tuning's work, extra routes", judge: tolerant },
  { number: 24, title: 'CHECK without prevResult fails', judge: noPrevResult },
]
