/** The protocol as a function of values: environment and stdin in, stdout, stderr and exit status out. SPEC.md §2. */
import { callOf } from './call.ts'
import { parseJson } from './conf.ts'
import { executePlugin, findPlugin } from './delegate.ts'
import { resultIn } from './encode.ts'
import type { Entry, Registry } from './entry.ts'
import { type Env, parseVerb, refuseOwnNetns } from './environment.ts'
import { failureOf, renderFailure } from './failure.ts'
import type { AttachmentId, Call, Json, JsonObject, Verb } from './plugin.ts'
import type { Result } from './result.ts'
import { isVersion, NEWEST, parseVersion, type Version } from './version.ts'

export interface Output {
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

/** What a call is made of. `stdin` returns the whole text; it is read once, and not at all when no verb is given. */
export interface Input {
  readonly env: Env
  readonly stdin: () => string
  readonly registry: Registry
  /** Called before an ADD that begins an attachment. @throws CniError */
  readonly beforeAttach?: () => void
}

/** `json` as it is given to libcni: indented by four. */
const render = (json: object): string => JSON.stringify(json, null, 4)

const aboutText = ({ about, type, versions }: Entry): string =>
  `podwire ${type}: ${about}\nCNI protocol versions supported: ${versions.join(', ')}\n`

/** The version that stdin names, for answers that must name one whatever else is wrong. */
const versionIn = (stdin: string): Version => {
  try {
    const [, version] = Object.entries(parseJson(stdin)).find(([key]) => key.toLowerCase() === 'cniversion') ?? []
    return isVersion(version) ? version : NEWEST
  } catch {
    return NEWEST
  }
}

/** The environment of a delegate that is called about `attachment`, when the caller itself was not. */
const environmentFor = (env: Env, attachment: AttachmentId | undefined): Env =>
  attachment === undefined
    ? env
    : { ...env, CNI_CONTAINERID: attachment.containerID, CNI_IFNAME: attachment.ifName, CNI_NETNS: '' }

/** Runs `type` with the caller's environment and stdin (SPEC.md §4), or with those that the caller made for it. */
const delegateOf =
  (callersEnv: Env, callersStdin: string, registry: Registry): Call['delegate'] =>
  (type, verb, request) => {
    const env = environmentFor(callersEnv, request?.attachment)
    const stdin = request === undefined ? callersStdin : JSON.stringify(request.conf)
    const folders = (env.CNI_PATH ?? '').split(':').filter((folder) => folder !== '')
    const { path, isSelf } = findPlugin(type, folders)
    const entry = isSelf ? registry(type) : undefined
    if (entry === undefined) return executePlugin(path, verb, env, stdin, versionIn(stdin))
    return runInProcess(entry, verb, { env, stdin, registry })
  }

interface Request extends Omit<Input, 'stdin'> {
  readonly stdin: string
}

const runInProcess = (entry: Entry, verb: Verb, { env, stdin, registry }: Request): Result | undefined => {
  if (verb === 'VERSION') {
    parseVersion(parseJson(stdin).cniVersion, entry.versions)
    return undefined
  }
  return entry.run(callOf(entry, verb, env, stdin, delegateOf(env, stdin, registry)))
}

/** The result as it is printed: in the configuration's version, or as it came in when the plugin returned `prevResult`
 *  itself. */
const printed = (call: Call, result: Result): object => {
  const { cniVersion, prevResult } = call.conf
  if (result !== call.prevResult) return resultIn(cniVersion as Version, result)
  return { cniVersion, ...(prevResult as JsonObject) }
}

/** Undoes an ADD whose result cannot be told to the runtime. */
const undo = (entry: Entry, call: Call): void => {
  try {
    entry.run({ ...call, verb: 'DEL' })
  } catch {
    // the error that led here is the one to report
  }
}

const addOutput = (entry: Entry, call: Call, result: Result): string => {
  try {
    return render(printed(call, result))
  } catch (error) {
    undo(entry, call)
    throw error
  }
}

const runVerb = (entry: Entry, verb: Verb, { env, stdin, registry, beforeAttach }: Request): string => {
  const call = callOf(entry, verb, env, stdin, delegateOf(env, stdin, registry))
  refuseOwnNetns(call.netns, env)
  if (verb === 'ADD' && !entry.chained) beforeAttach?.()
  const result = entry.run(call)
  return verb === 'ADD' ? addOutput(entry, call, result ?? {}) : ''
}

const versionOutput = ({ versions }: Entry, stdin: string): string =>
  render({ cniVersion: versionIn(stdin), supportedVersions: versions as readonly Json[] })

/** Answers one call of the plugin `entry`. Never throws. */
export const run = (entry: Entry, input: Input): Output => {
  const { env, stdin } = input
  const command = env.CNI_COMMAND ?? ''
  if (command === '') return { stdout: '', stderr: aboutText(entry), status: 0 }
  let text = ''
  try {
    const verb = parseVerb(command)
    if (verb === 'VERSION') return { stdout: versionOutput(entry, tolerant(stdin)), stderr: '', status: 0 }
    text = stdin()
    return { stdout: runVerb(entry, verb, { ...input, stdin: text }), stderr: '', status: 0 }
  } catch (error) {
    return { stdout: renderFailure(failureOf(error), versionIn(text)), stderr: '', status: 1 }
  }
}

/** VERSION answers whatever stdin holds, also when it cannot be read. */
const tolerant = (stdin: () => string): string => {
  try {
    return stdin()
  } catch {
    return ''
  }
}
