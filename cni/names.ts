/** The rules for names that come from outside and end up in paths, link names and rules. SPEC.md §1, §2 Parameters. */
import { quote } from '../addr/error.ts'
import { CniError, ERR_ENVIRONMENT } from './error.ts'

/** Longest network name and container id, so that either can be a part of a file's name (NAME_MAX is 255). */
const ID_MAX = 200
const IFNAMSIZ = 16
const NOT_IN_IFNAME = /[/:%\s\0\u0085]/

/** Character classes by code, not by regular expressions: those cost 15 to 30 us each at their first use in an exec. */
const isAlphanumeric = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)
/** `_`, `.` and `-`. */
const isJoint = (code: number): boolean => code === 95 || code === 46 || code === 45

/** A letter or digit, then letters, digits, `_`, `.`, `-`. */
const isId = (id: string): boolean => {
  if (!isAlphanumeric(id.charCodeAt(0))) return false
  for (let i = 1; i < id.length; i++) {
    const code = id.charCodeAt(i)
    if (!isAlphanumeric(code) && !isJoint(code)) return false
  }
  return true
}

/** Why `id` is no container id; undefined when it is one. */
export const containerIdProblem = (id: string): string | undefined => {
  if (!isId(id)) return `${quote(id)} is not a letter or digit followed by letters, digits, '_', '.', '-'`
  return id.length > ID_MAX ? `${quote(id)} is longer than ${ID_MAX} characters` : undefined
}

/** Why `name` is no interface name (net/core/dev.c dev_valid_name; `%` makes the kernel choose another name);
 *  undefined when it is one. */
export const ifNameProblem = (name: string): string | undefined => {
  if (name === '' || name === '.' || name === '..') return `${quote(name)} is no interface name`
  if (name.length < IFNAMSIZ && isId(name)) return undefined
  if (NOT_IN_IFNAME.test(name)) return `${quote(name)} contains '/', ':', '%' or white space`
  const bytes = new TextEncoder().encode(name).length
  return bytes < IFNAMSIZ ? undefined : `${quote(name)} is ${bytes} bytes long, at most ${IFNAMSIZ - 1} are allowed`
}

const refuse = (variable: string, problem: string | undefined): void => {
  if (problem !== undefined) throw new CniError(ERR_ENVIRONMENT, `invalid ${variable}: ${problem}`)
}

/** @throws CniError 4 naming the variable */
export const requireContainerId = (id: string): void => refuse('CNI_CONTAINERID', containerIdProblem(id))
/** @throws CniError 4 naming the variable */
export const requireIfName = (name: string): void => refuse('CNI_IFNAME', ifNameProblem(name))
