/** The keys of `flannel`, typed. Upstream: flannel-io/cni-plugin flannel.go. */
import type { Call } from '../../cni/plugin.ts'
import { type DelegationKeys, requireDelegate } from '../../overlay/delegate-conf.ts'

export interface FlannelConf {
  /** What the node's agent writes its lease to. */
  readonly subnetFile: string
  /** Folder of what the delegate was given. */
  readonly dataDir: string
}

/** The keys as the schema `conf/schemas/flannel.json` lets them through. */
interface Keys extends DelegationKeys {
  readonly subnetFile?: string
  readonly dataDir?: string
}

const SUBNET_FILE = '/run/flannel/subnet.env'
const DATA_DIR = '/var/lib/cni/flannel'

/** @throws DecodeError */
export const parseFlannelConf = (call: Call): FlannelConf => {
  const keys = call.conf as Keys
  requireDelegate(keys, call.conf.type)
  return { subnetFile: keys.subnetFile || SUBNET_FILE, dataDir: keys.dataDir || DATA_DIR }
}
