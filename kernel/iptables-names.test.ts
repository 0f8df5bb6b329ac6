import { expect, test } from 'vitest'
import { chainNameOf, containerIn, iptablesComment, trimComment } from './iptables-names.ts'

test.for([
  ['test', '1234', '', 'CNI-2bbe0c48b91a7d1b8a6753a8'],
  ['test', '1234', 'PREFIX-', 'CNI-PREFIX-2bbe0c48b91a7d1b8'],
] as const)('chainNameOf() of %s and %s with prefix "%s"', ([network, containerID, prefix, name]) => {
  expect(chainNameOf({ network, containerID }, prefix)).toBe(name)
})

test('containerIn() reads the comments that name a network', () => {
  const comment = iptablesComment({ network: 'net', containerID: 'abc' })
  expect(comment).toBe('name: "net" id: "abc"')
  expect([comment, `dnat ${comment}`, 'x'].map((text) => containerIn(text, 'net'))).toEqual(['abc', 'abc', undefined])
  expect(containerIn(comment, 'other')).toBeUndefined()
})

test('trimComment() keeps what xt_comment holds', () => {
  expect([trimComment('x'.repeat(255)), trimComment('x'.repeat(300))].map((text) => text.length)).toEqual([255, 255])
})
