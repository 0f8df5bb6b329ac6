/** What a container's loopback interface must be: up. The kernel adds 127.0.0.1/8 and ::1/128 itself when it comes up. */
import { addressOf, type Cidr, parseCidr } from '../../addr/cidr.ts'
import type { Call } from '../../cni/plugin.ts'
import type { Result } from '../../cni/result.ts'
import type { Plan } from '../../kernel/plan.ts'

/** CNI_IFNAME is ignored: there is one loopback interface, and this is its name. */
export const LOOPBACK = 'lo'

/** What the kernel gives an interface of kind loopback, IPv6 where it is on. */
export const loopbackAddresses = (): readonly Cidr[] => ['127.0.0.1/8', '::1/128'].map((address) => parseCidr(address))

/** Whether `address` is in 127.0.0.0/8 or is ::1 (RFC 6890). */
export const isLoopback = (address: Cidr): boolean => address.startsWith('127.') || addressOf(address) === '::1'

/** `addresses` are those that ADD's result named: what the kernel added then must be there still. */
export const planLoopback = (addresses: readonly Cidr[] = []): Plan => [
  { kind: 'link-settings', ns: 'pod', name: LOOPBACK, settings: { up: true } },
  ...addresses.map((address) => ({ kind: 'addr', ns: 'pod', dev: LOOPBACK, address }) as const),
]

/** The loopback addresses among those of a result. */
export const recordedLoopback = (result: Result): readonly Cidr[] =>
  (result.ips ?? []).map(({ address }) => address).filter(isLoopback)

/** The previous result as it came in, or the interface with `addresses`. SPEC.md §5. */
export const resultOf = ({ prevResult, netns }: Call, addresses: readonly Cidr[]): Result =>
  prevResult ?? {
    interfaces: [{ name: LOOPBACK, mac: '00:00:00:00:00:00', sandbox: netns }],
    ips: addresses.map((address) => ({ address, interface: 0 })),
  }
