/** The versions of the specification. Versions match by exact text; a configuration without one is of 0.1.0. */
import { quote } from '../addr/error.ts'
import { CniError, ERR_VERSION } from './error.ts'
import type { Verb } from './plugin.ts'

export const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const
export type Version = (typeof VERSIONS)[number]
export const NEWEST: Version = '1.1.0'

export const isVersion = (value: unknown): value is Version => VERSIONS.some((version) => version === value)

/** Whether `version` is `other` or newer. */
export const isAtLeast = (version: Version, other: Version): boolean =>
  VERSIONS.indexOf(version) >= VERSIONS.indexOf(other)

/** The versions from `since` on. */
export const versionsSince = (since: string): readonly Version[] => {
  const first = (VERSIONS as readonly string[]).indexOf(since)
  return first < 0 ? VERSIONS : VERSIONS.slice(first)
}

/** The version `verb` came with. */
const VERB_SINCE: Readonly<Record<Verb, Version>> = {
  ADD: '0.1.0',
  DEL: '0.1.0',
  VERSION: '0.1.0',
  CHECK: '0.4.0',
  STATUS: '1.1.0',
  GC: '1.1.0',
}

/** The version of a configuration for a plugin that supports `supported`. @throws CniError 1 */
export const parseVersion = (value: unknown, supported: readonly Version[]): Version => {
  const version = value === undefined || value === null || value === '' ? '0.1.0' : value
  if (isVersion(version) && supported.includes(version)) return version
  throw new CniError(
    ERR_VERSION,
    `incompatible CNI versions: cniVersion ${quote(version)} is none of ${supported.join(', ')}`,
  )
}

/** Refuses a verb that the configuration's version does not have. @throws CniError 1 */
export const requireVerb = (verb: Verb, version: Version): void => {
  if (isAtLeast(version, VERB_SINCE[verb])) return
  throw new CniError(
    ERR_VERSION,
    `config version does not allow ${verb}: cniVersion is ${version}, ${verb} came with ${VERB_SINCE[verb]}`,
  )
}
