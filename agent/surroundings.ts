/** What the agent finds around itself: the network configuration, and the interface that leads to the others. What was good
 *  stays in force until something as good is found. */
import { DecodeError } from '../addr/error.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Lease } from '../overlay/lease.ts'
import { type NetConf, parseNetConf } from '../overlay/net-conf.ts'
import type { Knowledge } from './knowledge.ts'
import { type Log, wordsOf } from './log.ts'
import type { Options } from './options.ts'
import { observeSite } from './site.ts'

export interface Surroundings {
  /** Takes a network configuration into force, if it is one. Returns whether anything is different now.
   *  @throws DecodeError for one that cannot be worked with, when there is none in force */
  readonly adopt: (text: string) => boolean
  /** Looks at the underlay again. Returns whether it is different now. */
  readonly look: () => boolean
}

export interface SurroundingsParts {
  readonly know: Knowledge
  readonly options: Options
  readonly kernel: Kernel
  readonly log: Log
  /** The lease this node had before it has one. */
  readonly lastLease: Lease | undefined
}

const NO_WAY = 'no interface leads to the other nodes'

/** The interface may yet come up; a wrong configuration or key stays wrong. */
const mayPass = (error: unknown): boolean => !(error instanceof DecodeError) || error.path.startsWith('--')

export const openSurroundings = (parts: SurroundingsParts): Surroundings => {
  const { know, options, kernel, log, lastLease } = parts
  let warned: string | undefined

  const observe = (conf: NetConf): boolean => {
    const last = know.own?.own.lease ?? lastLease
    const { publicAddresses, site: before } = know
    const { site, warning } = observeSite({ conf, options, publicAddresses, before, last }, kernel)
    if (warning !== undefined && warning !== warned) log.warn(warning)
    warned = warning
    if (know.siteTrouble !== undefined) log.info({ interface: site.underlay.name }, 'the underlay is found')
    delete know.siteTrouble
    if (JSON.stringify(site) === JSON.stringify(know.site)) return false
    const { underlay, publicIP, publicIPv6 } = site
    log.info({ interface: underlay.name, mtu: underlay.mtu, publicIP, publicIPv6 }, 'the way to the other nodes')
    know.site = site
    return true
  }

  const noteTrouble = (error: unknown): void => {
    const words = wordsOf(error)
    if (words !== know.siteTrouble)
      log.error(
        { error: words },
        know.site === undefined ? NO_WAY : 'this node is not as it was; what was programmed stays',
      )
    know.siteTrouble = words
  }

  const take = (text: string): void => {
    const conf = parseNetConf(text)
    try {
      observe(conf)
    } catch (error) {
      if (know.netConf !== undefined || !mayPass(error)) throw error
      noteTrouble(error)
    }
    const { backend, ipv4, ipv6 } = conf
    log.info({ backend: backend.kind, network: ipv4?.network, ipv6Network: ipv6?.network }, 'the network configuration')
    know.netConf = { text, conf }
  }

  const adopt = (text: string): boolean => {
    const before = know.netConfRefused
    delete know.netConfRefused
    if (know.netConf?.text === text) return false
    try {
      take(text)
      return true
    } catch (error) {
      if (know.netConf === undefined) throw error
      know.netConfRefused = wordsOf(error)
      if (know.netConfRefused !== before)
        log.error(
          { error: know.netConfRefused },
          'the network configuration in the store is refused; the one before stays in force',
        )
      return false
    }
  }

  const look = (): boolean => {
    if (know.netConf === undefined) return false
    try {
      return observe(know.netConf.conf)
    } catch (error) {
      noteTrouble(error)
      return false
    }
  }

  return { adopt, look }
}
