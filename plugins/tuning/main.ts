/** `tuning`: sysctls and link attributes inside the container. SPEC.md §2; upstream plugins/meta/tuning. */
import { writeSync } from 'node:fs'
import { CniError, ERR_UNAVAILABLE } from '../../cni/error.ts'
import { failureOf } from '../../cni/failure.ts'
import type { Call, Plugin } from '../../cni/plugin.ts'
import { requirePrevResult } from '../../cni/prev-result.ts'
import type { Result } from '../../cni/result.ts'
import { apply, requireNoDrift } from '../../kernel/apply.ts'
import { type Kernel, podReachable, withKernel } from '../../kernel/kernel.ts'
import { indexOf } from '../../kernel/link-settings.ts'
import { ownerOf } from '../../kernel/owner.ts'
import type { Fact, Plan } from '../../kernel/plan.ts'
import { readSysctl } from '../../kernel/sysctl.ts'
import { getLink, type Link } from '../../netlink/link.ts'
import { requireAllowed } from './allowlist.ts'
import { readBackup, removeBackup, sweepBackups, writeBackup } from './backup.ts'
import { type Attributes, parseTuningConf, type TuningConf } from './conf.ts'
import { attributesFact, hasAttributes, planTuning, resultOf } from './plan.ts'

/** Those of the link's attributes that the configuration changes. @throws CniError 102 when the link is not there */
const observeAttributes = (conf: TuningConf, { ifName }: Call, kernel: Kernel): Attributes => {
  const changed = Object.keys(conf.attributes) as (keyof Attributes & keyof Link)[]
  if (changed.length === 0) return {}
  indexOf('pod', ifName, kernel)
  const link = getLink(kernel.route('pod'), ifName)
  return link === undefined ? {} : Object.fromEntries(changed.map((key) => [key, link[key]]))
}

const observeSysctls = ({ sysctls }: TuningConf, kernel: Kernel): Plan =>
  sysctls.flatMap(({ path }): Fact[] => {
    const value = readSysctl('pod', path, kernel)
    return value === undefined ? [] : [{ kind: 'sysctl', ns: 'pod', path, value }]
  })

/** One fact for each attribute: one that the kernel refuses does not keep the others from being put back. */
const separate = (ifName: string, attributes: Attributes): Plan =>
  Object.entries(attributes).map(([key, value]) => attributesFact(ifName, { [key]: value }))

/** Puts back as much as goes. Returns what did not. */
const restore = (facts: Plan, kernel: Kernel): string[] =>
  facts.flatMap((fact) => {
    try {
      apply([fact], kernel)
      return []
    } catch (error) {
      return [failureOf(error).message]
    }
  })

const tune = (conf: TuningConf, call: Call, kernel: Kernel): void => {
  const attributes = observeAttributes(conf, call, kernel)
  const before = [...observeSysctls(conf, kernel), ...separate(call.ifName, attributes)]
  const takeBack = hasAttributes(attributes) ? writeBackup(conf.dataDir, ownerOf(call), attributes) : () => undefined
  try {
    apply(planTuning(conf, call.ifName), kernel)
  } catch (error) {
    restore(before.toReversed(), kernel)
    takeBack()
    throw error
  }
}

const add = (conf: TuningConf, call: Call): Result =>
  withKernel(call.netns, (kernel) => {
    requireAllowed(conf.sysctls)
    tune(conf, call, kernel)
    return resultOf(conf, call, requirePrevResult(call))
  })

/** An interface, or a namespace, that is gone took its attributes along. What the kernel refuses to take back is told on
 *  stderr and kept from nobody: the container goes anyway. */
const del = ({ dataDir }: TuningConf, call: Call): void =>
  withKernel(call.netns, (kernel) => {
    const attributes = readBackup(dataDir, call)
    if (hasAttributes(attributes) && podReachable(kernel) && getLink(kernel.route('pod'), call.ifName) !== undefined)
      for (const why of restore(separate(call.ifName, attributes), kernel)) writeSync(2, `tuning: ${why}\n`)
    removeBackup(dataDir, call)
  })

const check = (conf: TuningConf, call: Call): void =>
  withKernel(call.netns, (kernel) => {
    indexOf('pod', call.ifName, kernel)
    requireNoDrift(planTuning(conf, call.ifName), call.ifName, kernel)
  })

/** @throws CniError 50 when ADD would refuse a sysctl */
const status = (conf: TuningConf): void => {
  try {
    requireAllowed(conf.sysctls)
  } catch (error) {
    const { message, details } = failureOf(error)
    throw new CniError(ERR_UNAVAILABLE, message, details, { cause: error })
  }
}

export const plugin: Plugin<TuningConf> = {
  type: 'tuning',
  about: 'sets sysctls and link attributes inside the container',
  chained: true,
  parse: parseTuningConf,
  add,
  del,
  check,
  gc: ({ dataDir }, call) => sweepBackups(dataDir, call.conf.name, call.valid),
  status,
  preview: (conf, call) => ({
    plan: planTuning(conf, call.ifName),
    result: resultOf(conf, call, call.prevResult ?? {}),
  }),
}
