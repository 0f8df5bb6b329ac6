/** Fact: a kernel parameter of a network namespace has a value. Never taken back: forwarding is shared, and those of a
 *  link go with it. Documentation/networking/ip-sysctl.rst. */
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { quote } from '../addr/error.ts'
import { CniError, ERR_KERNEL } from '../cni/error.ts'
import type { Kernel } from './kernel.ts'
import type { Ns, Operations } from './plan.ts'

export interface SysctlFact {
  readonly kind: 'sysctl'
  readonly ns: Ns
  /** Below /proc/sys, separated by `/`, so that interface names may hold dots: `net/ipv4/ip_forward`. */
  readonly path: string
  readonly value: string
  /** A kernel without this parameter (IPv6 off, or older) is as good, and so is one that does not let it be written: in a
   *  container that is not privileged, /proc/sys is read-only. */
  readonly optional?: true
}

/** The value of a parameter without its closing newline; undefined when there is none of that name. */
export const readSysctl = (ns: Ns, path: string, kernel: Kernel): string | undefined => {
  try {
    return kernel.inside(ns, () => readFileSync(`/proc/sys/${path}`, 'latin1')).trimEnd()
  } catch {
    return undefined
  }
}

const spaces = (value: string): string => value.trim().replaceAll(/\s+/g, ' ')

const refused = (fact: SysctlFact, error: unknown): CniError =>
  new CniError(ERR_KERNEL, `sysctl ${fact.path} cannot be set to ${quote(fact.value)}`, String(error), { cause: error })

const ensure = (fact: SysctlFact, kernel: Kernel): boolean => {
  kernel.inside(fact.ns, () => {
    try {
      const path = `/proc/sys/${fact.path}`
      if (spaces(readFileSync(path, 'latin1')) !== spaces(fact.value)) writeFileSync(path, fact.value)
    } catch (error) {
      if (!fact.optional) throw refused(fact, error)
    }
  })
  return false
}

const isWritable = ({ ns, path }: SysctlFact, kernel: Kernel): boolean => {
  try {
    closeSync(kernel.inside(ns, () => openSync(`/proc/sys/${path}`, 'r+')))
    return true
  } catch {
    return false
  }
}

const drift = (fact: SysctlFact, kernel: Kernel): string | undefined => {
  const found = readSysctl(fact.ns, fact.path, kernel)
  if (found === undefined) return fact.optional ? undefined : `sysctl ${fact.path} does not exist`
  if (spaces(found) === spaces(fact.value)) return undefined
  return fact.optional && !isWritable(fact, kernel)
    ? undefined
    : `sysctl ${fact.path} is ${quote(found)}, not ${quote(fact.value)}`
}

export const sysctlOperations: Operations<SysctlFact> = {
  render: (fact) => `sysctl -w ${fact.path}=${fact.value}`,
  ensure,
  remove: () => undefined,
  drift,
}
