/** Fact: a link computes, or does not compute, checksums of what it sends later than the protocols do. By the ioctl
 *  SIOCETHTOOL, as `ethtool -K`: netlink has it since Linux 5.7 only. linux/ethtool.h. */
import { closeSync } from 'node:fs'
import { addon } from '../native/addon.ts'
import { ENODEV, EOPNOTSUPP, NetlinkError } from '../netlink/error.ts'
import { concat, readText, readU32, u32, u64 } from '../netlink/message.ts'
import { AF_INET } from '../netlink/rtnetlink.ts'
import { native } from '../netlink/socket.ts'
import type { Kernel } from './kernel.ts'
import type { Ns, Operations } from './plan.ts'

export interface OffloadFact {
  readonly kind: 'offload'
  readonly ns: Ns
  readonly dev: string
  /** As `ethtool -k` names it. */
  readonly feature: 'tx-checksum-ip-generic'
  readonly on: boolean
}

const SOCK_DGRAM = 2
const ETHTOOL_GSTRINGS = 0x1b
const ETHTOOL_GSSET_INFO = 0x37
const ETHTOOL_GFEATURES = 0x3a
const ETHTOOL_SFEATURES = 0x3b
const ETH_SS_FEATURES = 4
const ETH_GSTRING_LEN = 32

/** What the kernel answers into `request`, a struct of linux/ethtool.h, about a link. */
type Ask = (request: Uint8Array) => Uint8Array

const render = ({ dev, feature, on }: OffloadFact): string => `ethtool -K ${dev} ${feature} ${on ? 'on' : 'off'}`

/** @throws NetlinkError ENODEV when the link is not there */
const withLink = <T>(fact: OffloadFact, kernel: Kernel, use: (ask: Ask) => T): T => {
  const fd = native(() => addon().socketOpen(AF_INET, SOCK_DGRAM, 0, fact.ns === 'pod' ? kernel.netns('pod') : -1))
  try {
    return use((request) => {
      native(() => addon().ethtool(fd, fact.dev, request))
      return request
    })
  } finally {
    closeSync(fd)
  }
}

/** struct ethtool_sset_info: how many features this kernel knows. */
const countFeatures = (ask: Ask): number =>
  readU32(ask(concat(u32(ETHTOOL_GSSET_INFO), u32(0), u64(1n << BigInt(ETH_SS_FEATURES)), u32(0))).subarray(16))

/** Which bit the feature is: struct ethtool_gstrings. @throws NetlinkError EOPNOTSUPP */
const bitOf = (fact: OffloadFact, ask: Ask, count: number): number => {
  const names = ask(
    concat(u32(ETHTOOL_GSTRINGS), u32(ETH_SS_FEATURES), u32(count), new Uint8Array(count * ETH_GSTRING_LEN)),
  ).subarray(12)
  for (let bit = 0; bit < count; bit++)
    if (readText(names.subarray(bit * ETH_GSTRING_LEN, (bit + 1) * ETH_GSTRING_LEN)) === fact.feature) return bit
  throw new NetlinkError(render(fact), EOPNOTSUPP)
}

/** struct ethtool_gfeatures: blocks of available, requested, active, never changed; 32 features each. */
const isActive = (ask: Ask, bit: number, blocks: number): boolean => {
  const answer = ask(concat(u32(ETHTOOL_GFEATURES), u32(blocks), new Uint8Array(blocks * 16)))
  return ((readU32(answer.subarray(8 + (bit >> 5) * 16 + 8)) >>> (bit & 31)) & 1) === 1
}

/** struct ethtool_sfeatures: blocks of valid, requested. */
const request = (ask: Ask, bit: number, blocks: number, on: boolean): void => {
  const bits = new Uint32Array(blocks * 2)
  bits[(bit >> 5) * 2] = (1 << (bit & 31)) >>> 0
  bits[(bit >> 5) * 2 + 1] = on ? (1 << (bit & 31)) >>> 0 : 0
  ask(concat(u32(ETHTOOL_SFEATURES), u32(blocks), new Uint8Array(bits.buffer)))
}

const ensure = (fact: OffloadFact, kernel: Kernel): boolean =>
  withLink(fact, kernel, (ask) => {
    const count = countFeatures(ask)
    const bit = bitOf(fact, ask, count)
    const blocks = Math.ceil(count / 32)
    if (isActive(ask, bit, blocks) === fact.on) return false
    request(ask, bit, blocks, fact.on)
    if (isActive(ask, bit, blocks) !== fact.on) throw new NetlinkError(render(fact), EOPNOTSUPP)
    return false
  })

/** Whether the feature is on. @throws NetlinkError ENODEV when the link is not there */
export const isOffloaded = (fact: OffloadFact, kernel: Kernel): boolean =>
  withLink(fact, kernel, (ask) => {
    const count = countFeatures(ask)
    return isActive(ask, bitOf(fact, ask, count), Math.ceil(count / 32))
  })

const drift = (fact: OffloadFact, kernel: Kernel): string | undefined => {
  try {
    const on = isOffloaded(fact, kernel)
    return on === fact.on ? undefined : `${fact.feature} of ${fact.dev} is ${on ? 'on' : 'off'}`
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENODEV) return `interface ${fact.dev} is missing`
    throw error
  }
}

export const offloadOperations: Operations<OffloadFact> = { render, ensure, remove: () => undefined, drift }
