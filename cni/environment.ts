/** The environment contract: which variables a verb needs and what they may hold. SPEC.md §2 Parameters; where libcni
 *  asks for more than the SPEC (CNI_PATH), so do we, because every runtime sends it. */
import { quote } from '../addr/error.ts'
import { addon } from '../native/addon.ts'
import { CniError, ERR_ENVIRONMENT, ERR_NETNS } from './error.ts'
import { requireContainerId, requireIfName } from './names.ts'
import type { Verb } from './plugin.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** The variables of one call, checked; what the verb does not need may be ''. */
export interface Environment {
  readonly verb: Verb
  readonly containerID: string
  readonly netns: string
  readonly ifName: string
  readonly args: string
  readonly path: readonly string[]
}

const ATTACHMENT = ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH'] as const
const REQUIRED: Readonly<Record<Verb, readonly string[]>> = {
  ADD: ATTACHMENT,
  CHECK: ATTACHMENT,
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME', 'CNI_PATH'],
  GC: ['CNI_PATH'],
  STATUS: ['CNI_PATH'],
  VERSION: [],
}
const ONE_OF = Object.keys(REQUIRED).join(', ')

const isVerb = (text: string): text is Verb => Object.hasOwn(REQUIRED, text)

/** @throws CniError 4 */
export const parseVerb = (command: string): Verb => {
  if (isVerb(command)) return command
  throw new CniError(ERR_ENVIRONMENT, `unknown CNI_COMMAND: ${quote(command)} is none of ${ONE_OF}`)
}

const isAttachmentVerb = (verb: Verb): boolean => REQUIRED[verb].includes('CNI_CONTAINERID')

/** The variables `verb` reads. @throws CniError 4 naming every variable that is missing, or the one that is wrong */
export const parseEnvironment = (verb: Verb, env: Env): Environment => {
  const missing = REQUIRED[verb].filter((name) => (env[name] ?? '') === '')
  if (missing.length > 0)
    throw new CniError(ERR_ENVIRONMENT, `CNI_COMMAND=${verb} needs ${missing.join(', ')}, not set or empty`)
  const path = (env.CNI_PATH ?? '').split(':').filter((folder) => folder !== '')
  const none = { verb, containerID: '', netns: '', ifName: '', args: '', path }
  return isAttachmentVerb(verb) ? { ...none, ...parseAttachment(env) } : none
}

const parseAttachment = (env: Env): Pick<Environment, 'containerID' | 'netns' | 'ifName' | 'args'> => {
  const containerID = env.CNI_CONTAINERID ?? ''
  const ifName = env.CNI_IFNAME ?? ''
  requireContainerId(containerID)
  requireIfName(ifName)
  return { containerID, ifName, netns: env.CNI_NETNS ?? '', args: env.CNI_ARGS ?? '' }
}

const isOverride = (value = ''): boolean => value === '1' || value.toLowerCase() === 'true'

/** Refuses a CNI_NETNS that is the namespace this process runs in, before anything is done in it: a path of another
 *  process whose number was reused must not cost the node its interfaces. A path that leads nowhere is the plugin's
 *  business (DEL must succeed). CNI_NETNS_OVERRIDE=1 allows it. @throws CniError 8 */
export const refuseOwnNetns = (netns: string, env: Env): void => {
  if (netns === '' || isOverride(env.CNI_NETNS_OVERRIDE)) return
  if (!addon().sameFile(netns, '/proc/thread-self/ns/net')) return
  throw new CniError(
    ERR_NETNS,
    `CNI_NETNS ${quote(netns)} is the network namespace that the plugin itself runs in`,
    "give the path of the container's namespace, or set CNI_NETNS_OVERRIDE=1 if this is meant",
  )
}
