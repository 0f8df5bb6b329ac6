/** All Nodes, page by page. Kubernetes API concepts, "Retrieving large results sets in chunks". */
import { quote } from '../../../addr/error.ts'
import { StoreError } from '../store.ts'
import type { Access } from './access.ts'
import type { AnnotationNames } from './annotations.ts'
import { type KnownNodes, openKnownNodes } from './known-nodes.ts'
import { requireNode } from './node.ts'
import { ask, type Query, refused } from './request.ts'

/** Nodes in one answer: some megabytes of JSON. */
const PAGE = 100
/** A list whose continuation has expired is begun anew this often: pages come within seconds, the server keeps them for
 *  minutes. */
const ATTEMPTS = 3
const GONE = 410

/** What a watch goes on from. */
export interface Listed {
  readonly nodes: KnownNodes
  readonly resourceVersion: string
}

interface Page {
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: readonly unknown[] | null
}

const queryOf = (token: string): Query => {
  const parameters = new URLSearchParams({ limit: String(PAGE), ...(token === '' ? {} : { continue: token }) })
  return { method: 'GET', path: `/api/v1/nodes?${parameters}` }
}

/** Undefined when the continuation has expired. */
const pageAt = async (access: Access, token: string, signal: AbortSignal): Promise<Page | undefined> => {
  const query = queryOf(token)
  const answer = await ask(access, query, signal)
  if (answer.status === GONE && token !== '') return undefined
  if (answer.status !== 200 || answer.body === undefined) throw refused(access, query, answer)
  return answer.body as Page
}

const listOnce = async (access: Access, names: AnnotationNames, signal: AbortSignal): Promise<Listed | undefined> => {
  const nodes = openKnownNodes(names)
  for (let token = ''; ; ) {
    const page = await pageAt(access, token, signal)
    if (page === undefined) return undefined
    for (const item of page.items ?? []) nodes.set(requireNode(item))
    token = page.metadata?.continue ?? ''
    if (token !== '') continue
    const { resourceVersion } = page.metadata ?? {}
    if (resourceVersion === undefined)
      throw new StoreError(`${access.server} lists nodes, but ${quote(page.metadata)} has no resourceVersion`)
    return { nodes, resourceVersion }
  }
}

/** @throws StoreError */
export const listNodes = async (access: Access, names: AnnotationNames, signal: AbortSignal): Promise<Listed> => {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const listed = await listOnce(access, names, signal)
    if (listed !== undefined) return listed
  }
  throw new StoreError(`${access.server} forgets the list of nodes before it can be read to its end, ${ATTEMPTS} times`)
}
