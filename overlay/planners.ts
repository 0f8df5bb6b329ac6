/** The planner of each backend. */
import { hostGw } from './host-gw.ts'
import { ipip } from './ipip.ts'
import type { Backend } from './net-conf.ts'
import type { Planner } from './planner.ts'
import { vxlan } from './vxlan.ts'
import { wireguard } from './wireguard.ts'

const PLANNERS: Readonly<Record<Backend['kind'], Planner>> = { vxlan, 'host-gw': hostGw, wireguard, ipip }

export const plannerOf = ({ kind }: Pick<Backend, 'kind'>): Planner => PLANNERS[kind]
