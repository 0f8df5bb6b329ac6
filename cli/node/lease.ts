/** `podwire node lease`: what the plugin `vxlan` asks of a store that is no folder. A request on stdin, the answer on stdout,
 *  both JSON (overlay/lease-exchange.ts); what is wrong as a plugin says it. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { DecodeError } from '../../addr/error.ts'
import { CniError, ERR_DECODE, ERR_TRY_AGAIN } from '../../cni/error.ts'
import { failureOf, renderFailure } from '../../cni/failure.ts'
import { NEWEST } from '../../cni/version.ts'
import type { LeaseRequest } from '../../overlay/lease-exchange.ts'
import { LeaseLost, StoreError } from '../../overlay/store-error.ts'

/** Longest time for an answer, in ms: a runtime waits for it. */
const PATIENCE = 15_000

const requestIn = (text: string): LeaseRequest => {
  try {
    return JSON.parse(text) as LeaseRequest
  } catch (error) {
    throw new CniError(ERR_DECODE, 'stdin holds no request in JSON', 'this command is for the plugin vxlan', {
      cause: error,
    })
  }
}

const asFailure = (error: unknown, signal: AbortSignal): CniError => {
  if (error instanceof StoreError || error instanceof LeaseLost) return new CniError(ERR_TRY_AGAIN, error.message)
  if (signal.aborted && !(error instanceof DecodeError))
    return new CniError(ERR_TRY_AGAIN, `the store gave no answer within ${PATIENCE / 1000} s`)
  return failureOf(error)
}

const answer = async (): Promise<void> => {
  const signal = AbortSignal.timeout(PATIENCE)
  try {
    const { answerLease } = await import('../../agent/lease-answer.ts')
    process.stdout.write(JSON.stringify(await answerLease(requestIn(readFileSync(0, 'utf8')), signal)))
    process.exitCode = 0
  } catch (error) {
    process.stdout.write(renderFailure(asFailure(error, signal), NEWEST))
    process.exitCode = 1
  }
}

export const leaseCommand = (): Command =>
  new Command('lease')
    .description('ask a store for a lease and for those of the others: for the plugin vxlan (JSON on stdin and stdout)')
    .action(() => answer().then(() => process.exit()))
