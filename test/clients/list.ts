/** The chain that every node runs for every pod, as a network configuration list. */

export interface ListOptions {
  readonly cniVersion: string
  /** Of IPAM. */
  readonly dataDir: string
  /** Of bridge, portmap and firewall; absent: the defaults. The reference plugins of Debian 12 have no such keys. */
  readonly backend?: 'nftables' | 'iptables'
}

const RATES = { ingressRate: 80_000_000, ingressBurst: 8_000_000, egressRate: 80_000_000, egressBurst: 8_000_000 }

/** bridge with host-local in 10.9.0.0/24 and fd00:9::/64, portmap, firewall, bandwidth, tuning. */
export const chainList = ({ cniVersion, dataDir, backend }: ListOptions): object => {
  const nft = backend === undefined ? {} : { backend }
  const masquerade = backend === undefined ? {} : { ipMasqBackend: backend }
  const ranges = [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]]
  return {
    cniVersion,
    name: 'chain',
    plugins: [
      {
        type: 'bridge',
        isDefaultGateway: true,
        hairpinMode: true,
        ipMasq: true,
        ...masquerade,
        ipam: { type: 'host-local', dataDir, ranges },
      },
      { type: 'portmap', capabilities: { portMappings: true }, ...nft },
      { type: 'firewall', ...nft },
      { type: 'bandwidth', ...RATES },
      { type: 'tuning', sysctl: { 'net.core.somaxconn': '512' } },
    ],
  }
}
