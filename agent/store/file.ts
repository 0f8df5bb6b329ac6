/** Leases in a folder: no server. What a lab, an edge box, or a fleet whose files are distributed to it needs. */
import { acquireInFolder, renewInFolder } from '../../overlay/folder-allocation.ts'
import { readNetConfText } from '../../overlay/lease-folder.ts'
import { watchFolder } from './file-watch.ts'
import type { LeaseStore } from './store.ts'

export interface FileStoreOptions {
  /** Holds `config.json` and `subnets/`. */
  readonly folder: string
  /** Between two looks at all files, in ms; by default it follows from the file system. */
  readonly rescan?: number
}

export const openFileStore = ({ folder, rescan }: FileStoreOptions): LeaseStore => ({
  readNetConf: async () => readNetConfText(folder),
  acquire: async (claim, conf) => acquireInFolder(folder, claim, conf),
  renew: async (own, claim) => renewInFolder(folder, own, claim),
  watch: async (listener, signal) => watchFolder(folder, listener, signal, rescan),
  close: () => undefined,
})
