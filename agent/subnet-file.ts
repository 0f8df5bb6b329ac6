/** `subnet.env` on disk: written when it says something else, whole or not at all; left where it is when the agent ends. */
import { readFileSync, rmSync } from 'node:fs'
import type { Cidr } from '../addr/cidr.ts'
import { parseSubnetEnv } from '../overlay/subnet-env.ts'
import { writeAtomically } from './memory.ts'

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Returns whether it had to be written. Everybody may read it: plugins do. @throws Error of the file system */
export const writeSubnetFile = (path: string, text: string): boolean => {
  if (readText(path) === text) return false
  writeAtomically(path, text, 0o644)
  return true
}

/** The subnets that the file names, whoever wrote it; none when it is not there or not to be understood. */
export const previousSubnets = (path: string): readonly Cidr[] => {
  try {
    const { subnet, ipv6Subnet } = parseSubnetEnv(readText(path) ?? '')
    return [subnet, ipv6Subnet].filter((each) => each !== undefined)
  } catch {
    return []
  }
}

export const removeSubnetFile = (path: string): void => rmSync(path, { force: true })
