/** What a plugin is to the protocol: a name, a schema and six verbs as functions of values. `cni/skel.ts` reads the
 *  environment and stdin, calls one of them and prints what it returns or throws. SPEC.md §2. */
import type { Result } from './result.ts'

export type Verb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION'

/** Who an attachment is (SPEC.md §2: the tuple of network name, CNI_CONTAINERID and CNI_IFNAME). */
export interface AttachmentId {
  readonly containerID: string
  readonly ifName: string
}

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
export type JsonObject = { readonly [key: string]: Json }

/** Network configuration as it came in, after the checks every plugin shares: `cniVersion`, `name` and `type` are valid,
 *  keys that differ from a schema's only in case have been folded to the schema's spelling, the schema holds. */
export interface NetConf extends JsonObject {
  readonly cniVersion: string
  readonly name: string
  readonly type: string
}

/** What a delegate is told other than what its caller was told. */
export interface DelegateRequest {
  /** Its configuration, in place of the caller's. */
  readonly conf: JsonObject
  /** Whose attachment it is about, for one that GC detaches by DEL: its namespace is not known. */
  readonly attachment?: AttachmentId
}

/** One call of one plugin. Fields that the verb does not carry are empty (`''`, `[]`). */
export interface Call extends AttachmentId {
  readonly verb: Verb
  /** Path of the network namespace; '' when the runtime gave none. */
  readonly netns: string
  /** CNI_ARGS, decoded. */
  readonly args: Readonly<Record<string, string>>
  /** CNI_PATH, split. */
  readonly path: readonly string[]
  readonly conf: NetConf
  /** The text of stdin: what a delegate gets, byte for byte. */
  readonly stdin: string
  /** Decoded and converted to the newest shape; undefined when the runtime sent none. Its identity is kept: a plugin
   *  that returns this very object has it printed as it came in. */
  readonly prevResult: Result | undefined
  /** GC: the attachments to keep (`cni.dev/valid-attachments`). */
  readonly valid: readonly AttachmentId[]
  /** Runs `verb` of the plugin `type` with this call's environment and stdin, but for what `request` says: in process when
   *  CNI_PATH leads to this very executable, else by exec. Returns ADD's result (undefined for the other verbs).
   *  @throws CniError the delegate's */
  readonly delegate: (type: string, verb: Verb, request?: DelegateRequest) => Result | undefined
  /** For `preview` alone: what ADD of another plugin would do with a configuration. @throws CniError when it is not known */
  readonly previewOf?: (type: string, conf: JsonObject) => Preview
}

/** What ADD would do, as data and as far as it is known before the kernel has been asked: a MAC that the kernel would
 *  choose is absent from `result`. */
export interface Preview {
  /** A `Plan` of kernel/plan.ts; `[]` when the kernel is not touched (IPAM). */
  readonly plan: readonly { readonly kind: string }[]
  readonly result: Result
}

export interface Plugin<Conf> {
  /** Folder, executable and `type` key. */
  readonly type: string
  /** One line: printed on stderr when the executable is run by hand. */
  readonly about: string
  /** Oldest `cniVersion` accepted; '0.1.0' unless upstream's differs. */
  readonly since?: string
  /** True for a plugin that only makes sense behind another one (needs `prevResult` on ADD and CHECK). */
  readonly chained?: true
  /** Types that it delegates to when the configuration names none: its program holds them, so that they run in process.
   *  Written as a list of words in `main.ts`, where the build reads it. */
  readonly delegatesTo?: readonly string[]
  /** Values of the keys, typed; everything a schema cannot say is refused here. Never touches the system. @throws DecodeError, CniError */
  readonly parse: (call: Call) => Conf
  readonly add: (conf: Conf, call: Call) => Result
  readonly del: (conf: Conf, call: Call) => void
  readonly check: (conf: Conf, call: Call) => void
  readonly gc: (conf: Conf, call: Call) => void
  readonly status: (conf: Conf, call: Call) => void
  /** ADD without its effects, for `podwire plan`: reads at most files, changes nothing, opens no socket. An IPAM plugin
   *  answers with the addresses it would hand out next; `call.delegate(type, 'ADD')` is then that plugin's preview. */
  readonly preview?: (conf: Conf, call: Call) => Preview
}
