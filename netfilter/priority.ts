/** Priorities of base chains with the names `nft` prints for them. linux/netfilter_ipv4.h NF_IP_PRI_*,
 *  linux/netfilter_bridge.h NF_BR_PRI_*. */
import type { Hook, TableFamily } from './ruleset.ts'

export const RAW = -300
export const MANGLE = -150
export const DSTNAT = -100
export const FILTER = 0
export const SECURITY = 50
export const SRCNAT = 100
export const BRIDGE_DSTNAT = -300
export const BRIDGE_FILTER = -200
export const BRIDGE_OUT = 100
export const BRIDGE_SRCNAT = 300

const INET_NAMES: Readonly<Record<string, number>> = {
  raw: RAW,
  mangle: MANGLE,
  dstnat: DSTNAT,
  filter: FILTER,
  security: SECURITY,
  srcnat: SRCNAT,
}
const BRIDGE_NAMES: Readonly<Record<string, number>> = {
  dstnat: BRIDGE_DSTNAT,
  filter: BRIDGE_FILTER,
  out: BRIDGE_OUT,
  srcnat: BRIDGE_SRCNAT,
}

/** Hooks on which a name stands for its priority; absent: all. */
const HOOKS: Readonly<Record<string, readonly Hook[]>> = {
  dstnat: ['prerouting'],
  srcnat: ['postrouting'],
  out: ['output'],
}

/** The farthest from a name that `nft` still prints `name + n`. */
const REACH = 10

/** `priority` as `nft list` prints it: `dstnat`, `filter - 1`, `-90`. */
export const renderPriority = (priority: number, hook: Hook, family: TableFamily): string => {
  const names = family === 'bridge' ? BRIDGE_NAMES : family === 'netdev' ? { filter: 0 } : INET_NAMES
  for (const [name, base] of Object.entries(names)) {
    const offset = priority - base
    if (Math.abs(offset) > REACH || HOOKS[name]?.includes(hook) === false) continue
    return offset === 0 ? name : `${name} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`
  }
  return String(priority)
}
