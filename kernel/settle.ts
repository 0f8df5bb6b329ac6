/** Fact: a link has come to rest: its addresses have passed duplicate address detection (RFC 4862 §5.4), or its carrier is
 *  up, so that a bridge forwards what it receives. Waiting is part of the plan, so that a link that never settles is undone. */
import { CniError, ERR_CONFLICT, ERR_KERNEL } from '../cni/error.ts'
import { dumpAddresses, IFA_F_DADFAILED, IFA_F_TENTATIVE, type LinkAddress } from '../netlink/address.ts'
import { getLink } from '../netlink/link.ts'
import type { Kernel } from './kernel.ts'
import { indexOf } from './link-settings.ts'
import type { Ns, Operations } from './plan.ts'

export interface SettleFact {
  readonly kind: 'settle'
  readonly ns: Ns
  readonly dev: string
  readonly until: 'dad' | 'carrier'
  /** How long to wait, in ms. */
  readonly timeout: number
}

const POLL_MS = 1
const cell = new Int32Array(new SharedArrayBuffer(4))
/** Sleeps without an event loop. */
const sleep = (ms: number): void => {
  Atomics.wait(cell, 0, 0, ms)
}

const withFlag = (addresses: readonly LinkAddress[], flag: number): LinkAddress | undefined =>
  addresses.find(({ flags }) => (flags & flag) !== 0)

/** What is still awaited, in words; undefined when nothing is. @throws CniError 103 for an address that another host has */
const awaited = (fact: SettleFact, kernel: Kernel): string | undefined => {
  const socket = kernel.route(fact.ns)
  if (fact.until === 'carrier')
    return getLink(socket, fact.dev)?.operUp === true ? undefined : `the carrier of ${fact.dev}`
  const addresses = dumpAddresses(socket, indexOf(fact.ns, fact.dev, kernel))
  const failed = withFlag(addresses, IFA_F_DADFAILED)
  if (failed !== undefined)
    throw new CniError(
      ERR_CONFLICT,
      `the address ${failed.address} is used by another host on the link of ${fact.dev}`,
      'duplicate address detection failed: find the other host, or set "enabledad": false',
    )
  const tentative = withFlag(addresses, IFA_F_TENTATIVE)
  return tentative && `the end of duplicate address detection for ${tentative.address} on ${fact.dev}`
}

const ensure = (fact: SettleFact, kernel: Kernel): boolean => {
  for (let waited = 0; ; waited += POLL_MS) {
    const what = awaited(fact, kernel)
    if (what === undefined) return false
    if (waited >= fact.timeout)
      throw new CniError(ERR_KERNEL, `waited ${fact.timeout} ms for ${what}`, `see: ip -s addr show dev ${fact.dev}`)
    sleep(POLL_MS)
  }
}

export const settleOperations: Operations<SettleFact> = {
  render: (fact) =>
    `# wait up to ${fact.timeout} ms for ${fact.until === 'dad' ? 'the addresses' : 'the carrier'} of ${fact.dev}`,
  ensure,
  remove: () => undefined,
  drift: () => undefined,
}
