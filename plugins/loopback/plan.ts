/** What a container's loopback interface must be: up. The kernel adds 127.0.0.1/8 and ::1/128 itself when it comes up. */
import { type Cidr, parseCidr } from '../../addr/cidr.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import type { Plan } from '../../kernel/plan.ts'

/** CNI_IFNAME is ignored: there is one loopback interface, and this is its name. */
export const LOOPBACK = 'lo'

/** What the kernel gives an interface of kind loopback, IPv6 where it is on. */
export const LOOPBACK_ADDRESSES: readonly Cidr[] = ['127.0.0.1/8', '::1/128'].map((address) => parseCidr(address))

export const planLoopback = (): Plan => [{ kind: 'link-settings', ns: 'pod', name: LOOPBACK, settings: { up: true } }]

/** The previous result as it came in, or the interface with `addresses`. SPEC.md §5. */
export const resultOf = ({ prevResult, netns }: Call, addresses: readonly Cidr[]): Result =>
  prevResult ?? {
    interfaces: [{ name: LOOPBACK, mac: '00:00:00:00:00:00', sandbox: netns }],
    ips: addresses.map((address) => ({ address, interface: 0 })),
  }
