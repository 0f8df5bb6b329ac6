/** The rules for names that come from outside and end up in paths, link names and rules. SPEC.md §1, §2 Parameters. */
import { quote } from '../addr/error.ts'
import { CniError, ERR_ENVIRONMENT } from './error.ts'

/** Longest network name and container id, so that either can be a part of a file's name (NAME_MAX is 255). */
const ID_MAX = 200
const IFNAMSIZ = 16
const ID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/
const NOT_IN_IFNAME = /[/:%\s\0\u0085]/

/** Why `id` is no container id; undefined when it is one. */
export const containerIdProblem = (id: string): string | undefined => {
  if (!ID.test(id)) return `${quote(id)} is not a letter or digit followed by letters, digits, '_', '.', '-'`
  return id.length > ID_MAX ? `${quote(id)} is longer than ${ID_MAX} characters` : undefined
}

/** Why `name` is no interface name (net/core/dev.c dev_valid_name; `%` makes the kernel choose another name);
 *  undefined when it is one. */
export const ifNameProblem = (name: string): string | undefined => {
  if (name === '' || name === '.' || name === '..') return `${quote(name)} is no interface name`
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
