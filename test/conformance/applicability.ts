/** Which item is asked of which plugin under which versions: the one place that says so. A triple of item, plugin and
 *  version that is not here is not run and not printed. */
import { isAtLeast, VERSIONS, type Version } from './version.ts'

const ALL = [
  'loopback',
  'bridge',
  'ptp',
  'flannel',
  'vxlan',
  'portmap',
  'firewall',
  'bandwidth',
  'tuning',
  'host-local',
  'static',
] as const
type PluginName = (typeof ALL)[number]

const CHAINED: readonly PluginName[] = ['portmap', 'firewall', 'bandwidth', 'tuning']
const DELEGATING: readonly PluginName[] = ['bridge', 'ptp']
/** Delegate the attachment itself, with a configuration of their own. */
const OVERLAY: readonly PluginName[] = ['flannel', 'vxlan']
const ATTACHING: readonly PluginName[] = [...DELEGATING, ...OVERLAY]
const STATEFUL: readonly PluginName[] = [...ATTACHING, ...CHAINED, 'host-local']

interface Rule {
  readonly plugins: readonly PluginName[]
  readonly since?: Version
  /** For what does not depend on the version: the newest that a plugin of 1.0.0 has, and the newest. */
  readonly versions?: readonly Version[]
  /** Why others are left out. */
  readonly why: string
}

const EVERYTHING = { plugins: ALL, why: 'asked of every plugin' } as const
const CHECKING = '0.4.0'
const COLLECTING = '1.1.0'
const LOAD: readonly Version[] = ['1.0.0', '1.1.0']

export const RULES: Readonly<Record<number, Rule>> = {
  1: EVERYTHING,
  2: EVERYTHING,
  3: EVERYTHING,
  4: EVERYTHING,
  5: EVERYTHING,
  6: EVERYTHING,
  7: EVERYTHING,
  8: EVERYTHING,
  9: EVERYTHING,
  10: { plugins: ATTACHING, why: 'the others create no interface in the pod' },
  11: { plugins: [...ATTACHING, 'host-local'], why: 'the others hold no address' },
  12: { plugins: ['loopback', ...CHAINED], why: 'the others begin a chain' },
  13: { plugins: CHAINED, why: 'the others need no prevResult' },
  14: EVERYTHING,
  15: EVERYTHING,
  16: EVERYTHING,
  17: EVERYTHING,
  18: { plugins: [...ATTACHING, 'tuning', 'host-local'], why: 'the others keep no files, nor does their IPAM' },
  19: { plugins: STATEFUL, why: 'loopback and static have nothing to release' },
  20: { plugins: DELEGATING, why: 'the others have no delegate, or one that made everything' },
  21: { ...EVERYTHING, since: CHECKING },
  22: { ...EVERYTHING, since: CHECKING },
  23: { plugins: ATTACHING, since: CHECKING, why: 'the others answer for no address of the pod' },
  24: { plugins: [...ATTACHING, ...CHAINED], since: CHECKING, why: 'loopback and IPAM can check without' },
  25: { ...EVERYTHING, since: COLLECTING },
  26: { plugins: STATEFUL, since: COLLECTING, why: 'loopback and static have nothing to collect' },
  27: { plugins: DELEGATING, since: COLLECTING, why: 'the others have no delegate, or make its configuration' },
  28: { ...EVERYTHING, since: COLLECTING },
  29: { ...EVERYTHING, since: COLLECTING },
  30: { plugins: ['host-local'], since: COLLECTING, why: 'the others hold no reservation' },
  31: { plugins: ATTACHING, since: COLLECTING, why: 'the others have one thing to collect from' },
  32: { plugins: DELEGATING, why: 'the others have no delegate, or make its configuration' },
  33: { plugins: ATTACHING, why: 'the others have no delegate' },
  34: EVERYTHING,
  35: { plugins: ['bridge', 'tuning', 'static'], why: 'the others read nothing from both; host-local takes both' },
  36: { ...EVERYTHING, versions: LOAD },
  37: { ...EVERYTHING, versions: LOAD },
  38: { ...EVERYTHING, versions: LOAD },
  39: { plugins: STATEFUL, versions: LOAD, why: 'loopback and static change nothing that DEL must undo' },
  40: { plugins: STATEFUL, versions: LOAD, why: 'loopback has one interface, static nothing to keep apart' },
  41: EVERYTHING,
  42: { plugins: ATTACHING, why: 'the others have no delegate' },
  43: EVERYTHING,
}

/** The versions under which item `number` is asked of `plugin`, which takes versions from `pluginSince` on. */
export const versionsFor = (number: number, plugin: string, pluginSince: Version): readonly Version[] => {
  const rule = RULES[number]
  if (rule === undefined || !rule.plugins.some((name) => name === plugin)) return []
  const { since = '0.1.0', versions = VERSIONS } = rule
  return versions.filter((version) => isAtLeast(version, since) && isAtLeast(version, pluginSince))
}
