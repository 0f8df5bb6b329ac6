/** Leases in a folder: no server. What a lab, an edge box, or a fleet whose files are distributed to it needs. */
import { existsSync } from 'node:fs'
import { acquireInFolder, renewInFolder } from '../../overlay/folder-allocation.ts'
import { configPath, makeFolder, readNetConfText } from '../../overlay/lease-folder.ts'
import { watchFolder } from './file-watch.ts'
import type { LeaseStore } from './store.ts'

export interface FileStoreOptions {
  /** Holds `config.json` and `subnets/`. */
  readonly folder: string
  /** Between two looks at all files, in ms; by default it follows from the file system. */
  readonly rescan?: number
}

/** A folder with a network configuration and no leases yet is a new store. One that loses its leases' folder later is not:
 *  that may be a file system which is not mounted. */
const beginFolder = (folder: string): void => {
  if (existsSync(configPath(folder))) makeFolder(folder)
}

export const openFileStore = ({ folder, rescan }: FileStoreOptions): LeaseStore => {
  let isWatched = false
  return {
    readNetConf: async () => readNetConfText(folder),
    acquire: async (claim, conf) => acquireInFolder(folder, claim, conf),
    renew: async (own, claim) => renewInFolder(folder, own, claim),
    watch: async (listener, signal) => {
      if (!isWatched) beginFolder(folder)
      isWatched = true
      return watchFolder(folder, listener, signal, rescan)
    },
    close: () => undefined,
  }
}
