/** Plugin executables, called as a runtime calls them: environment and stdin in, status, stdout and stderr out. */
import { existsSync, readdirSync } from 'node:fs'
import { makeFolder } from './cleanup.ts'
import { must, type Output, run } from './command.ts'
import { inside, pathOf } from './netns.ts'

const ROOT = `${import.meta.dirname}/../..`
/** Debian's containernetworking-plugins: what podwire is compared with. */
export const REFERENCE = '/usr/lib/cni'

const foldersWithMain = (parent: string): readonly string[] =>
  existsSync(`${ROOT}/${parent}`)
    ? readdirSync(`${ROOT}/${parent}`).filter((name) => existsSync(`${ROOT}/${parent}/${name}/main.ts`))
    : []

/** Types of all plugins of this checkout, IPAM included. */
export const pluginTypes = (): readonly string[] => [...foldersWithMain('plugins'), ...foldersWithMain('ipam')].sort()

/** Has this checkout's build install itself into a new folder. @throws Error when `npm run build` has not been run */
export const installPlugins = (): string => {
  if (!existsSync(`${ROOT}/dist/podwire`)) throw new Error('dist/podwire is missing: run "npm run build" first')
  const folder = makeFolder('installed')
  must([`${ROOT}/dist/podwire`, 'install', '--bin-dir', folder])
  return folder
}

/** In the environment of every test file: the folder that the run has installed into (see run.ts). */
export const INSTALLED = 'PODWIRE_INSTALLED'

let own: string | undefined
/** A folder usable as CNI_PATH that holds this checkout's build; this process's own, unless PODWIRE_BIN_DIR names one.
 *  @throws Error when `npm run build` has not been run */
export const binDir = (): string => {
  const given = process.env['PODWIRE_BIN_DIR']
  if (given !== undefined) return given
  if (own !== undefined && existsSync(own)) return own
  const folder = makeFolder('bin')
  must(['cp', '-al', `${process.env[INSTALLED] ?? installPlugins()}/.`, folder])
  own = folder
  return folder
}

export interface PluginCall {
  /** Folder of the executable; also CNI_PATH unless `env` says otherwise. */
  readonly bin: string
  /** Namespace the plugin runs in: the node. */
  readonly node: string
  readonly verb: string
  readonly containerID?: string
  /** Name of the pod's namespace, or a path; absent: CNI_NETNS is not set. */
  readonly netns?: string
  readonly ifName?: string
  readonly args?: string
  /** What stdin holds: an object becomes JSON. `type` of an object selects the executable. */
  readonly conf: object | string
  /** Executable, when it is not `conf.type`. */
  readonly type?: string
  /** Added to the environment, or, with undefined, taken out of it. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Put before the executable: `['strace', '-f', ...]`. */
  readonly wrap?: readonly string[]
}

export interface PluginOutput extends Output {
  /** stdout as JSON; undefined when it is empty or no JSON. */
  readonly json: unknown
}

const typeOf = (conf: object | string): string =>
  typeof conf === 'object' && 'type' in conf && typeof conf.type === 'string' ? conf.type : ''

const environmentOf = (call: PluginCall): Record<string, string> => {
  const netns = call.netns === undefined || call.netns.includes('/') ? call.netns : pathOf(call.netns)
  const all: Record<string, string | undefined> = {
    PATH: process.env['PATH'],
    CNI_COMMAND: call.verb,
    CNI_CONTAINERID: call.containerID,
    CNI_NETNS: netns,
    CNI_IFNAME: call.ifName,
    CNI_ARGS: call.args,
    CNI_PATH: call.bin,
    ...call.env,
  }
  return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

const readJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How one call of one plugin ended. */
export const callPlugin = (call: PluginCall): PluginOutput => {
  const file = `${call.bin}/${call.type ?? typeOf(call.conf)}`
  const input = typeof call.conf === 'string' ? call.conf : JSON.stringify(call.conf)
  const output = run(inside(call.node, [...(call.wrap ?? []), file]), { input, env: environmentOf(call) })
  return { ...output, json: readJson(output.stdout) }
}

/** The result of a call that must succeed. @throws Error with the plugin's output */
export const mustCall = (call: PluginCall): unknown => {
  const { status, stdout, stderr, json } = callPlugin(call)
  if (status !== 0)
    throw new Error(`${call.type ?? typeOf(call.conf)} ${call.verb}: status ${status}\n${stdout}${stderr}`)
  return json
}
