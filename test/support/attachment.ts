/** One attachment of a pod of a `makeNode` bed by podwire's own executables, verb by verb. */
import type { NodeBed } from './node.ts'
import { binDir, callPlugin, mustCall, type PluginOutput } from './plugin.ts'

/** Result of ADD as plugins print it from 1.0.0 on. */
export interface PrintedResult {
  readonly cniVersion: string
  readonly interfaces: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[]
  readonly ips: readonly { readonly address: string; readonly gateway?: string; readonly interface?: number }[]
  readonly routes: readonly { readonly dst: string; readonly gw?: string }[]
}

export interface Attaching {
  readonly add: (extra?: object) => PrintedResult
  /** For an ADD or CHECK that may fail. */
  readonly call: (verb: string, extra?: object) => PluginOutput
  readonly check: (result: PrintedResult, extra?: object) => PluginOutput
  readonly del: (result?: PrintedResult) => PluginOutput
  readonly gc: (valid: readonly object[]) => PluginOutput
}

/** @param conf of the plugin, without name and version. @param pod which of the bed's pods */
export const attaching = (
  bed: NodeBed,
  conf: { readonly type: string },
  pod = 0,
  containerID = `c${pod}`,
): Attaching => {
  const full = { cniVersion: '1.1.0', name: 'net', ...conf }
  const base = { bin: binDir(), node: bed.node, containerID, netns: bed.pods[pod] ?? '', ifName: 'eth0' }
  const call = (verb: string, extra: object = {}) => callPlugin({ ...base, verb, conf: { ...full, ...extra } })
  return {
    call,
    add: (extra = {}) => mustCall({ ...base, verb: 'ADD', conf: { ...full, ...extra } }) as PrintedResult,
    check: (prevResult, extra = {}) => call('CHECK', { prevResult, ...extra }),
    del: (prevResult) => call('DEL', prevResult === undefined ? {} : { prevResult }),
    gc: (valid) => call('GC', { 'cni.dev/valid-attachments': valid }),
  }
}

/** IPAM of both families for a bed: 10.9.0.0/24 and fd00:9::/64. */
export const hostLocal = (bed: NodeBed): object => ({
  type: 'host-local',
  dataDir: `${bed.folder}/ipam`,
  ranges: [[{ subnet: '10.9.0.0/24' }], [{ subnet: 'fd00:9::/64' }]],
})
