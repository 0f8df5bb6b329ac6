/** `static`: the addresses that the configuration names. Nothing is kept, so there is nothing to release. SPEC.md §2;
 *  upstream plugins/ipam/static. */
import { CniError, ERR_DRIFT } from '../../cni/error.ts'
import type { Call, Plugin } from '../../cni/plugin.ts'
import { parseStaticConf, type StaticConf } from './conf.ts'
import { missingFrom, resultOf } from './plan.ts'

const check = (conf: StaticConf, call: Call): void => {
  const missing = missingFrom(call.prevResult ?? {}, conf)
  if (missing.length === 0) return
  throw new CniError(
    ERR_DRIFT,
    `prevResult lacks what is configured: ${missing.join(', ')}`,
    'the configuration has changed since ADD, or a plugin in between dropped it: delete the container and start it again',
  )
}

const nothing = (): void => undefined

export const plugin: Plugin<StaticConf> = {
  type: 'static',
  about: 'the addresses that the configuration names',
  parse: parseStaticConf,
  add: resultOf,
  del: nothing,
  check,
  gc: nothing,
  status: nothing,
  preview: (conf) => ({ plan: [], result: resultOf(conf) }),
}
