/** The store that the options name. A store's libraries are loaded when it is the one. */
import type { Options } from '../options.ts'
import { openFileStore } from './file.ts'
import type { LeaseStore } from './store.ts'

/** @throws StoreError for endpoints of etcd that are none; DecodeError for an annotation prefix that is none */
export const openStore = async (options: Options): Promise<LeaseStore> => {
  switch (options.store) {
    case 'file':
      return openFileStore({ folder: options.storeDir })
    case 'etcd':
      return (await import('./etcd.ts')).openEtcdStore(options)
    case 'kubernetes':
      return (await import('./kubernetes.ts')).openKubernetesStore(options)
    default:
      return options.store satisfies never
  }
}
