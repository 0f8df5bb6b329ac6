import { expect, test } from 'vitest'
import { decodeHeader, encodeHeader, type Header } from './header.ts'
import { PAGE } from './slot.ts'

const header: Header = {
  pages: 2048,
  reach: 3,
  isLocal: true,
  inode: 2 ** 40 + 1,
  stamp: 1_795_248_066,
  walked: 1_795_248_000,
  boot: '7da93a003c0548309146e2cb0b035555',
  machine: '3d1219c7c4c5404aaa1f6d2a48adfda4',
}

test('decodeHeader() reads what encodeHeader() wrote', () => {
  expect(encodeHeader(header)).toHaveLength(PAGE)
  expect(decodeHeader(encodeHeader(header))).toEqual(header)
  expect(decodeHeader(encodeHeader({ ...header, isLocal: false }))?.isLocal).toBe(false)
})

test.each([
  ['zeros', new Uint8Array(PAGE)],
  ['another layout', encodeHeader(header).fill(9, 0, 1)],
  ['no pages', encodeHeader({ ...header, pages: 0 })],
  ['no reach', encodeHeader({ ...header, reach: 0 })],
])('decodeHeader() does not take %s for a header', (_, bytes) => {
  expect(decodeHeader(bytes)).toBeUndefined()
})
