/** host-local, static, called as a plugin would call them: with the whole configuration of the network. */
import { reservationGone, reservationTaken } from './damage.ts'
import type { Drift, Profile } from './profile.ts'
import { hostLocalIn, OTHER_SUBNET } from './profile-main.ts'
import { resultIn } from './version.ts'

const hostLocal: Profile = {
  plugin: 'host-local',
  kind: 'ipam',
  since: '0.1.0',
  conf: (bed) => ({ type: 'bridge', ipam: hostLocalIn(bed) }),
  otherNetwork: (bed) => ({ ipam: hostLocalIn(bed, OTHER_SUBNET) }),
  wrong: { ipam: { type: 'host-local', ranges: [[{ subnet: '10.77.0.300/24' }]] } },
  drifts: [reservationGone, reservationTaken],
}

const otherAddress: Drift = {
  what: 'prevResult without the address',
  damage: async ({ facts, version }) => ({
    prevResult: resultIn(version, { ...facts, ips: [{ address: '10.99.9.9/24' }] }),
  }),
}

const fixed: Profile = {
  plugin: 'static',
  kind: 'ipam',
  since: '0.1.0',
  conf: () => ({
    type: 'bridge',
    ipam: {
      type: 'static',
      addresses: [{ address: '10.78.0.5/24', gateway: '10.78.0.1' }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.78.0.1' }],
      dns: { nameservers: ['10.78.0.1'] },
    },
  }),
  wrong: { ipam: { type: 'static', addresses: [{ address: '10.78.0.300/24' }] } },
  drifts: [otherAddress],
}

export const IPAM: readonly Profile[] = [hostLocal, fixed]
