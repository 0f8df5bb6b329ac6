/** What ADD answers, and what CHECK finds missing from it. Pure. */
import type { IpConfig, Result, Route } from '../../cni/result.ts'
import type { StaticConf } from './conf.ts'

export const resultOf = ({ addresses, routes, dns }: StaticConf): Result => ({
  ips: addresses,
  ...(routes.length > 0 ? { routes } : {}),
  ...(dns === undefined || Object.keys(dns).length === 0 ? {} : { dns }),
})

const renderIp = ({ address, gateway }: IpConfig): string =>
  `the address ${address}${gateway === undefined ? '' : ` with gateway ${gateway}`}`
const renderRoute = ({ dst, gw }: Route): string => `the route to ${dst}${gw === undefined ? '' : ` by ${gw}`}`

/** A gateway that is not configured may be any: a main plugin fills it in. */
const isStated = (wanted: IpConfig, ips: readonly IpConfig[]): boolean =>
  ips.some((ip) => ip.address === wanted.address && (wanted.gateway ?? ip.gateway) === ip.gateway)

const isRouted = (wanted: Route, routes: readonly Route[]): boolean =>
  routes.some((route) => route.dst === wanted.dst && (wanted.gw ?? route.gw) === route.gw)

/** Configured addresses and routes that `result` does not state, in words. More than configured is fine: others add. */
export const missingFrom = ({ ips = [], routes = [] }: Result, conf: StaticConf): readonly string[] => [
  ...conf.addresses.filter((ip) => !isStated(ip, ips)).map(renderIp),
  ...conf.routes.filter((route) => !isRouted(route, routes)).map(renderRoute),
]
