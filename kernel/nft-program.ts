/** Running `nft`: only for tables that hold a fragment a user wrote in nft's language. Nothing else in the pod path does. */
import { CniError, ERR_CONFIG, ERR_KERNEL } from '../cni/error.ts'
import type { Kernel } from './kernel.ts'
import type { Ns } from './plan.ts'

const TIMEOUT_MS = 60_000

/** Loads commands in one transaction. @throws CniError 102 when nft is not there; 7 with what nft said when it refused */
export const loadText = (kernel: Kernel, ns: Ns, commands: string): void => {
  const { spawnSync } = process.getBuiltinModule('node:child_process')
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`
  const options = { input: `${commands}\n`, encoding: 'utf8', timeout: TIMEOUT_MS } as const
  const done = kernel.inside(ns, () =>
    spawnSync('nft', ['-f', '-'], { ...options, env: { ...process.env, PATH: path, LC_ALL: 'C' } }),
  )
  if (done.error !== undefined)
    throw new CniError(
      ERR_KERNEL,
      'conditions in the language of nft need the program nft, which cannot be run',
      `${done.error.message}: install nftables`,
      { cause: done.error },
    )
  if (done.status !== 0)
    throw new CniError(ERR_CONFIG, 'nft refused the rules with the conditions of this network', done.stderr.trim())
}
