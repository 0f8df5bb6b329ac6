/** The store that the options name. */
import type { Options } from '../options.ts'
import { openFileStore } from './file.ts'
import type { LeaseStore } from './store.ts'

export const openStore = async ({ storeDir }: Options): Promise<LeaseStore> => openFileStore({ folder: storeDir })
