/** The keys of `ptp`, typed. Upstream: containernetworking/plugins `plugins/main/ptp`. */
import type { Call } from '../../cni/plugin.ts'
import type { Dns } from '../../cni/result.ts'

export interface PtpConf {
  readonly ipMasq: boolean
  readonly ipMasqBackend: 'nftables' | 'iptables'
  /** Bytes; undefined: the kernel's default. */
  readonly mtu: number | undefined
  readonly dns: Dns | undefined
}

/** The keys as the schema `conf/schemas/ptp.json` lets them through. */
interface Keys {
  readonly ipMasq?: boolean
  readonly ipMasqBackend?: 'nftables' | 'iptables'
  readonly mtu?: number
  readonly dns?: Dns
}

export const parsePtpConf = (call: Call): PtpConf => {
  const keys = call.conf as Keys
  return {
    ipMasq: keys.ipMasq ?? false,
    ipMasqBackend: keys.ipMasqBackend ?? 'nftables',
    mtu: keys.mtu || undefined,
    dns: keys.dns !== undefined && Object.keys(keys.dns).length > 0 ? keys.dns : undefined,
  }
}
