/** ADD after IPAM: whatever fails from then on gives the addresses back. SPEC.md §2 ADD. */
import { ipamDel } from './ipam.ts'
import type { Call } from './plugin.ts'
import { runAll } from './steps.ts'

/** What `attach` returns; when it throws, the addresses are released first. @throws what `attach` threw */
export const releasingOnFailure = <T>(call: Call, attach: () => T): T => {
  try {
    return attach()
  } catch (error) {
    runAll(
      () => {
        throw error
      },
      () => ipamDel(call),
    )
    throw error
  }
}
