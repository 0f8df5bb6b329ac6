/** Items 10, 11, 13: an ADD that fails leaves the node as it was. */
import { each, type Item } from './item.ts'
import { refused, same, succeeded } from './outcome.ts'
import { hostLocalIn } from './profile-main.ts'
import type { Trial } from './trial.ts'
import { isAtLeast, type Json } from './version.ts'

const existingInterface = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const attachment = await trial.attachment()
  await trial.bed.shell('ip link add eth0 type veth peer name other', attachment.pod.netns)
  const before = await trial.state()
  refused('ADD of an interface that exists', await trial.call('ADD', attachment))
  same('the refused ADD leaves', before, await trial.state())
  await trial.bed.shell('ip link show eth0', attachment.pod.netns)
}

interface Failure {
  readonly what: string
  readonly plugins: readonly string[]
  readonly conf: (trial: Trial) => Json
  /** Run in the node before ADD. */
  readonly script?: string
}

const UNREACHABLE = [{ dst: '198.51.100.0/24', gw: '203.0.113.77' }]
/** A pool of one address, which the harness takes first. */
const SINGLE = [{ subnet: 'fd88::/125', rangeStart: 'fd88::2', rangeEnd: 'fd88::2' }]
const exhausted = ({ bed, profile }: Trial): Json =>
  profile.smallPool?.(bed) ?? { ipam: { ...hostLocalIn(bed), ranges: [[{ subnet: '10.77.0.0/24' }], SINGLE] } }

/** Keys of the plugin that makes the attachment. */
const ofAttaching = ({ profile }: Trial, keys: Json): Json => (profile.delegates === true ? { delegate: keys } : keys)

const FAILURES: readonly Failure[] = [
  {
    what: 'a route that the kernel refuses (after link, IPAM, address)',
    plugins: ['bridge', 'ptp', 'flannel', 'vxlan'],
    conf: ({ bed }) => ({ ipam: { ...hostLocalIn(bed), routes: UNREACHABLE } }),
  },
  {
    what: 'a bridge with another address (after link, IPAM)',
    plugins: ['bridge', 'flannel', 'vxlan'],
    conf: (trial) => ofAttaching(trial, { bridge: 'pwbr5', isGateway: true }),
    script:
      'ip link add pwbr5 type bridge; ip addr add 10.99.0.1/24 dev pwbr5; ip link set pwbr5 up; echo 0 > /proc/sys/net/ipv6/conf/pwbr5/accept_ra',
  },
  {
    what: 'a bridge that is no bridge (before link)',
    plugins: ['bridge', 'flannel', 'vxlan'],
    conf: (trial) => ofAttaching(trial, { bridge: 'pwnone' }),
    script: 'ip link add pwnone type veth peer name pwnone2',
  },
  { what: 'a range exhausted', plugins: ['bridge', 'ptp', 'flannel', 'vxlan', 'host-local'], conf: exhausted },
]

const failedAdd = async (trial: Trial): Promise<void> => {
  await trial.warm()
  const first = await trial.attachment()
  const { plugin, delegates } = trial.profile
  const taking = { plugin: delegates === true ? plugin : 'host-local', conf: exhausted(trial) }
  succeeded('ADD that takes the only address', await trial.call('ADD', first, taking))
  const failures = FAILURES.filter(({ plugins }) => plugins.includes(trial.profile.plugin))
  await each(failures, async ({ what, conf, script }) => {
    const attachment = await trial.attachment()
    if (script !== undefined) await trial.bed.shell(script)
    const before = await trial.state()
    refused(`ADD with ${what}`, await trial.call('ADD', attachment, { conf: conf(trial) }))
    same(`ADD that failed for ${what} leaves`, before, await trial.state())
  })
}

const noPrevResult = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const change = { conf: { prevResult: undefined } }
  refused('ADD without prevResult', await trial.call('ADD', attachment, change))
  if (isAtLeast(trial.version, '0.4.0'))
    refused('CHECK without prevResult', await trial.call('CHECK', attachment, change))
  succeeded('DEL without prevResult', await trial.call('DEL', attachment, change))
}

export const FAILURE: readonly Item[] = [
  { number: 10, title: 'ADD of an existing interface: refused, clean', judge: existingInterface },
  { number: 11, title: 'ADD that fails releases and removes all', judge: failedAdd },
  { number: 13, title: 'chained without prevResult', judge: noPrevResult },
]
