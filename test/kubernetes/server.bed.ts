/** A server of its own for each test of a file, and what tests do with it. */
import { afterEach, beforeEach } from 'vitest'
import { openKubernetesStore } from '../../agent/store/kubernetes.ts'
import type { LeaseStore } from '../../agent/store/store.ts'
import { type ApiServer, startApiServer } from './api-server.ts'
import { flannelNode } from './node-object.ts'
import { startWatching, type Watching } from './watching.ts'

export interface ServerBed {
  /** The server of the test that runs. */
  readonly server: () => ApiServer
  /** A store at it; `silence` in ms. */
  readonly storeWith: (silence?: number) => LeaseStore
  /** Watches until the test ends. */
  readonly watch: (store?: LeaseStore) => Watching
  /** The requests so far that needed `right`. */
  readonly asked: (right: string) => ApiServer['asked']
  readonly putNodes: (count: number) => void
}

/** To be called once, at the top of a test file. */
export const useServer = (): ServerBed => {
  let server: ApiServer
  let watching: Watching | undefined
  beforeEach(async () => {
    server = await startApiServer()
  })
  afterEach(async () => {
    await watching?.stop()
    await server.stop()
  })
  const storeWith = (silence = 60_000): LeaseStore =>
    openKubernetesStore({
      kubeconfigFile: '',
      kubeApiUrl: server.url,
      kubeAnnotationPrefix: 'flannel.alpha.coreos.com',
      kubeNodeName: 'node-1',
      netConfigPath: '',
      setNodeNetworkUnavailable: false,
      env: {},
      silence,
    })
  return {
    server: () => server,
    storeWith,
    watch: (store = storeWith()) => {
      watching = startWatching(store)
      return watching
    },
    asked: (right) => server.asked.filter((one) => one.right === right),
    putNodes: (count) => {
      for (let n = 1; n <= count; n++) server.nodes.put(flannelNode(n))
    },
  }
}
