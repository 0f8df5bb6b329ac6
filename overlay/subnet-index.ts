/** Prefixes of one address family and whose they are: a binary trie, so that what overlaps is found in as many steps as a
 *  prefix has bits, however many there are. */
import { addressOf, type Cidr, lengthOf } from '../addr/cidr.ts'
import { ipBytes } from '../addr/ip.ts'

/** The bits of a prefix, from the first. */
export type Bits = readonly (0 | 1)[]

export interface SubnetIndex {
  /** Adds a prefix that overlaps none of those there. */
  readonly add: (subnet: Bits, holder: string) => void
  /** Takes a prefix out that was added. */
  readonly remove: (subnet: Bits) => void
  /** Whose prefix overlaps `subnet`: that of one, if there are several. */
  readonly holderOf: (subnet: Bits) => string | undefined
}

interface Node {
  holder?: string
  readonly below: [Node | undefined, Node | undefined]
}

const empty = (): Node => ({ below: [undefined, undefined] })

export const bitsOf = (subnet: Cidr): Bits => {
  const bytes = ipBytes(addressOf(subnet))
  return Array.from({ length: lengthOf(subnet) }, (_, i) => (((bytes[i >> 3] ?? 0) >> (7 - (i & 7))) & 1 ? 1 : 0))
}

/** The holder of any prefix at or below `node`. */
const anyBelow = (node: Node | undefined): string | undefined =>
  node === undefined ? undefined : (node.holder ?? anyBelow(node.below[0]) ?? anyBelow(node.below[1]))

export const makeSubnetIndex = (): SubnetIndex => {
  const root = empty()
  const pathTo = (subnet: Bits): Node[] => {
    const path = [root]
    for (const bit of subnet) {
      const next = path.at(-1)?.below[bit]
      if (next === undefined) break
      path.push(next)
    }
    return path
  }
  return {
    add: (subnet, holder) => {
      let node = root
      for (const bit of subnet) {
        node.below[bit] ??= empty()
        node = node.below[bit]
      }
      node.holder = holder
    },
    remove: (subnet) => {
      const path = pathTo(subnet)
      if (path.length <= subnet.length) return
      delete path.at(-1)?.holder
      for (let i = subnet.length; i > 0; i--) {
        const [node, parent, bit] = [path[i], path[i - 1], subnet[i - 1]]
        if (node === undefined || parent === undefined || bit === undefined) return
        if (node.holder !== undefined || node.below.some((each) => each !== undefined)) return
        parent.below[bit] = undefined
      }
    },
    holderOf: (subnet) => {
      const path = pathTo(subnet)
      const above = path.find(({ holder }) => holder !== undefined)?.holder
      return above ?? (path.length > subnet.length ? anyBelow(path.at(-1)) : undefined)
    },
  }
}
