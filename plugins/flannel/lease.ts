/** This node's lease as the agent wrote it down. */
import { readFileSync } from 'node:fs'
import { DecodeError, quote } from '../../addr/error.ts'
import { CniError } from '../../cni/error.ts'
import { parseSubnetEnv, type SubnetEnv } from '../../overlay/subnet-env.ts'

const TODO =
  'the node gets its lease from podwire agent (or flanneld), which writes this file: start it, and look into its log'

const problemOf = (error: unknown): string => {
  if (error instanceof DecodeError) return error.message
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'it does not exist' : String(error)
}

/** What the file says. @throws CniError `code` when it is not there or incomplete: the node has no lease yet */
export const readLease = (subnetFile: string, code: number): SubnetEnv => {
  try {
    return parseSubnetEnv(readFileSync(subnetFile, 'utf8'))
  } catch (error) {
    const msg = `this node has no subnet of the overlay yet: ${quote(subnetFile)}: ${problemOf(error)}`
    throw new CniError(code, msg, TODO, { cause: error })
  }
}

/** What the file says; undefined when it says nothing. */
export const knownLease = (subnetFile: string): SubnetEnv | undefined => {
  try {
    return parseSubnetEnv(readFileSync(subnetFile, 'utf8'))
  } catch {
    return undefined
  }
}
