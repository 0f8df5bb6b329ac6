/** What is killed: each plugin, and each back end that keeps its state elsewhere. The profiles are the conformance
 *  harness's, with a pool so small that an address lost at each kill would empty it. */
import type { Bed } from '../conformance/bed.ts'
import { PROFILES, type Profile } from '../conformance/profile.ts'
import type { Json } from '../conformance/version.ts'

export interface Subject {
  readonly name: string
  readonly profile: Profile
}

export const RANGES = [[{ subnet: '10.77.0.0/27' }]]
/** Addresses of the pool that pods get: 32 without network, gateway and broadcast. */
export const POOL = 29

/** The same configuration with the small pool. */
const smallPool = (conf: Json): Json => {
  const ipam = conf['ipam'] as Json | undefined
  return ipam?.['type'] === 'host-local' ? { ...conf, ipam: { ...ipam, ranges: RANGES } } : conf
}

/** The node as it is for a crash: with the small pool, where it is not the configuration that says so. */
const prepareNode = async ({ prepareNode: prepare, cramp }: Profile, bed: Bed): Promise<void> => {
  await prepare?.(bed)
  cramp?.(bed)
}

const subject = (plugin: string, variant = '', keys: Json = {}): Subject[] =>
  PROFILES.filter((profile) => profile.plugin === plugin).map((profile) => ({
    name: variant === '' ? plugin : `${plugin} (${variant})`,
    profile: {
      ...profile,
      prepareNode: (bed: Bed) => prepareNode(profile, bed),
      conf: (bed: Bed, index: number) => ({ ...smallPool(profile.conf(bed, index)), ...keys }),
    },
  }))

export const SUBJECTS: readonly Subject[] = [
  ...subject('loopback'),
  ...subject('bridge'),
  ...subject('bridge', 'iptables, macspoofchk', { ipMasqBackend: 'iptables', macspoofchk: true }),
  ...subject('ptp'),
  ...subject('flannel'),
  ...subject('vxlan'),
  ...subject('portmap'),
  ...subject('portmap', 'iptables', { backend: 'iptables' }),
  ...subject('firewall', 'nftables, same-bridge', { backend: 'nftables', ingressPolicy: 'same-bridge' }),
  ...subject('firewall', 'iptables, isolated', { backend: 'iptables', ingressPolicy: 'isolated' }),
  ...subject('bandwidth'),
  ...subject('tuning', '', { mac: '02:33:33:33:33:33', promisc: true, txQLen: 500 }),
  ...subject('host-local'),
  ...subject('static'),
]
