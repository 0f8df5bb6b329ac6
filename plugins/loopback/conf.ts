/** `loopback` has no keys of its own: what the protocol has checked is all there is. */
import type { Call } from '../../cni/plugin.ts'

export type LoopbackConf = Readonly<Record<string, never>>

export const parseConf = (_call: Call): LoopbackConf => ({})
