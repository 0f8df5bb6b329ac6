/** What every backend needs of the node: that it forwards between its pods and the others. */
import type { SysctlFact } from '../kernel/sysctl.ts'
import { familyConf } from './families.ts'
import type { NetConf } from './net-conf.ts'

const SWITCHES = [
  { family: 4, path: 'net/ipv4/ip_forward' },
  { family: 6, path: 'net/ipv6/conf/all/forwarding' },
] as const

export const forwardingFacts = (conf: NetConf): SysctlFact[] =>
  SWITCHES.filter(({ family }) => familyConf(conf, family) !== undefined).map(({ path }) => ({
    kind: 'sysctl',
    ns: 'node',
    path,
    value: '1',
  }))
