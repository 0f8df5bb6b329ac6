/** The stage:
 *
 *      internet                      node (where this runs)                 pods
 *     [ eth0 ] =================== [ eth0 ]      [ podwire0 ] ======= [ eth0 ] web, client, slow
 *     192.0.2.1/24                 192.0.2.10/24  10.244.0.1/24             10.244.0.x/24
 *     2001:db8::1/64               2001:db8::10/64  fd00:10:244::1/64       fd00:10:244::x/64
 *
 *  The internet has no route to any pod: it can answer one only when the node masquerades. */
import { type Output, run, within } from './command.ts'

export const INTERNET = 'internet'
export const INTERNET_IPV4 = '192.0.2.1'
export const INTERNET_IPV6 = '2001:db8::1'
export const NODE_IPV4 = '192.0.2.10'
export const NODE_IPV6 = '2001:db8::10'

const ip = (args: string): Promise<Output> => run(['ip', ...args.split(' ')])
const ipInternet = (args: string): Promise<Output> => run(within(INTERNET, ['ip', ...args.split(' ')]))

export const addNetns = (name: string): Promise<Output> => ip(`netns add ${name}`)
export const delNetns = (name: string): Promise<Output> => ip(`netns del ${name}`)

/** Makes the node's uplink and the internet behind it. */
export const makeUplink = async (): Promise<void> => {
  await addNetns(INTERNET)
  await ip(`link add eth0 type veth peer name eth0 netns ${INTERNET}`)
  await ip('link set lo up')
  for (const command of ['link set lo up', 'link set eth0 up', `addr add ${INTERNET_IPV4}/24 dev eth0`])
    await ipInternet(command)
  await ipInternet(`addr add ${INTERNET_IPV6}/64 dev eth0 nodad`)
  await ip('link set eth0 up')
  await ip(`addr add ${NODE_IPV4}/24 dev eth0`)
  await ip(`addr add ${NODE_IPV6}/64 dev eth0 nodad`)
  await ip(`route add default via ${INTERNET_IPV4}`)
  await ip(`-6 route add default via ${INTERNET_IPV6}`)
}
