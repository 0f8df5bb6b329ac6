/** All nodes go by the network configuration of the store; one that a configuration gives is held to it. */
import { DecodeError, quote } from '../../addr/error.ts'
import type { NetConf } from '../../overlay/net-conf.ts'

/** `where` the other one stands, in an operator's words. @throws DecodeError */
export const requireSame = (where: string, given: NetConf, stored: NetConf): void => {
  if (JSON.stringify(given) === JSON.stringify(stored)) return
  const problem = `is not what ${where} says, which all nodes go by: ${quote(given)}, not ${quote(stored)}`
  throw new DecodeError('$.netConf', problem)
}
