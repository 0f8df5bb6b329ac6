import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commentOf, hashOf, linkNameOf, networkPrefix } from './owner.ts'

const name = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,200}$/)
const owner = fc.record({ network: name, containerID: name, ifName: fc.stringMatching(/^[a-z0-9]{1,15}$/) })

test('commentOf() fits an nft comment, begins with the network and tells owners apart', () => {
  fc.assert(
    fc.property(owner, owner, (a, b) => {
      expect(commentOf(a).length).toBeLessThanOrEqual(122)
      expect(commentOf(a).startsWith(networkPrefix(a.network))).toBe(true)
      expect(commentOf(a) === commentOf(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
  )
})

test('linkNameOf() is 15 bytes with the prefix in front, the same for the same owner only', () => {
  fc.assert(
    fc.property(owner, owner, (a, b) => {
      expect(linkNameOf('veth', a)).toMatch(/^veth[0-9a-f]{11}$/)
      expect(linkNameOf('veth', a) === linkNameOf('veth', b)).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
  )
})

test('hashOf() does not let parts run together', () => {
  expect(hashOf(20, 'ab', 'c')).not.toBe(hashOf(20, 'a', 'bc'))
})
