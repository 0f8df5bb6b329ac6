/** Items 14 to 19: DEL succeeds and cleans up, whatever it is not told. */
import { rmSync } from 'node:fs'
import { each, type Item } from './item.ts'
import { same, succeeded } from './outcome.ts'
import { hostLocalIn } from './profile-main.ts'
import type { Change, Trial } from './trial.ts'
import type { Json } from './version.ts'

const twice = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attached()
  succeeded('DEL', await trial.call('DEL', attachment))
  succeeded('the second DEL', await trial.call('DEL', attachment))
  const bare = { env: { CNI_NETNS: '' }, conf: { prevResult: undefined } }
  succeeded('the third, with nothing known', await trial.call('DEL', attachment, bare))
}

/** ADD, then DEL with `change`: the node is as it was. */
const addDel = async (trial: Trial, what: string, change: Change): Promise<void> => {
  const before = await trial.state()
  const attachment = await trial.attached()
  succeeded(`DEL ${what}`, await trial.call('DEL', attachment, change))
  await trial.unplug(attachment)
  same(`DEL ${what} leaves`, before, await trial.state())
}

const noNetns = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await each([undefined, ''], (CNI_NETNS) =>
    addDel(trial, CNI_NETNS === undefined ? 'without CNI_NETNS' : 'with CNI_NETNS empty', { env: { CNI_NETNS } }),
  )
}

const netnsGone = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const before = await trial.state()
  const attachment = await trial.attached()
  await trial.bed.removePod(attachment.pod)
  succeeded('DEL after the namespace is gone', await trial.call('DEL', attachment))
  same('DEL after the namespace is gone leaves', before, await trial.state())
}

const noPrevResult = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await addDel(trial, 'without prevResult', { conf: { prevResult: undefined } })
}

const wiped = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const before = await trial.state()
  const attachment = await trial.attached()
  for (const folder of ['ipam', 'tuning', 'flannel', 'vxlan'])
    rmSync(`${trial.bed.folder}/${folder}`, { recursive: true, force: true })
  succeeded('DEL with the state folder gone', await trial.call('DEL', attachment))
  await trial.unplug(attachment)
  same('DEL with the state folder gone leaves', before, await trial.state())
}

/** What an operator changed while the pod was running. */
const CHANGED: Readonly<Record<string, (trial: Trial) => Json>> = {
  bridge: ({ bed }) => ({ bridge: 'other0', isGateway: false, ipam: hostLocalIn(bed, '10.99.0.0/24') }),
  flannel: ({ bed }) => ({ subnetFile: `${bed.folder}/.none.env`, delegate: { bridge: 'other0' } }),
  vxlan: ({ bed }) => ({ store: { dir: `${bed.folder}/.none` }, delegate: { bridge: 'other0' } }),
  ptp: ({ bed }) => ({ mtu: 1300, ipam: hostLocalIn(bed, '10.99.0.0/24') }),
  portmap: () => ({ runtimeConfig: undefined }),
  firewall: () => ({ ingressPolicy: 'same-bridge' }),
  bandwidth: () => ({ ingressRate: undefined, ingressBurst: undefined, egressRate: undefined, egressBurst: undefined }),
  tuning: () => ({ mtu: undefined, sysctl: {} }),
  'host-local': ({ bed }) => ({ ipam: hostLocalIn(bed, '10.99.0.0/24') }),
}

const changedConfig = async (trial: Trial): Promise<void> => {
  await trial.warm()
  await addDel(trial, 'with another configuration', { conf: CHANGED[trial.profile.plugin]?.(trial) ?? {} })
}

export const DEL: readonly Item[] = [
  { number: 14, title: 'DEL twice succeeds', judge: twice },
  { number: 15, title: 'DEL without CNI_NETNS cleans up', judge: noNetns },
  { number: 16, title: 'DEL with the namespace gone cleans up', judge: netnsGone },
  { number: 17, title: 'DEL without prevResult cleans up', judge: noPrevResult },
  { number: 18, title: 'DEL with the state folder wiped', judge: wiped },
  { number: 19, title: 'DEL with a changed configuration cleans up', judge: changedConfig },
]
