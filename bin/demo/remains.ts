/** What is on the node because of pods: interfaces, addresses, firewall and hostPort entries, files. */
import { existsSync, readdirSync } from 'node:fs'
import { run } from './command.ts'

/** Elements of nft sets and maps whose comment names an attachment. */
const elementsOf = (value: unknown): readonly string[] => {
  if (typeof value !== 'object' || value === null) return []
  if ('elem' in value && typeof value.elem === 'object' && value.elem !== null && 'comment' in value.elem)
    return [`nft element of ${value.elem.comment}`]
  return Object.values(value).flatMap(elementsOf)
}

const rulesOf = (ruleset: {
  readonly nftables: readonly { readonly rule?: { readonly comment?: string } }[]
}): readonly string[] =>
  ruleset.nftables.flatMap(({ rule }) => (rule?.comment?.includes('/') ? [`nft rule of ${rule.comment}`] : []))

const filesIn = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ parentPath, name }) => `${parentPath}/${name}`)
    : []

/** Files that belong to a network and outlive every pod: host-local's lock and the last address it gave. */
const isOfNetwork = (path: string): boolean => /\/(lock|last_reserved_ip\.\d+)$/.test(path) || path.includes('/.')

/** One line for each thing that is there; empty on a node that never had a pod. The bridge of a network stays until GC. */
export const remains = async (): Promise<readonly string[]> => {
  const links = JSON.parse((await run(['ip', '-j', 'link'])).stdout) as readonly { readonly ifname: string }[]
  const ruleset = JSON.parse((await run(['nft', '-j', 'list', 'ruleset'])).stdout)
  const own = links.map(({ ifname }) => ifname).filter((name) => name !== 'lo' && name !== 'eth0')
  return [
    ...own.map((name) => `interface ${name}`),
    ...elementsOf(ruleset),
    ...rulesOf(ruleset),
    ...['/var/lib/cni', '/run/cni'].flatMap(filesIn).filter((path) => !isOfNetwork(path)),
  ]
}
