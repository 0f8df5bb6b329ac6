import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { CniError } from '../../cni/error.ts'
import { requireAllowed } from './allowlist.ts'

const folder = mkdtempSync(`${tmpdir()}/allowlist-`)
afterAll(() => rmSync(folder, { recursive: true }))

const allowed = (lines: string, ...keys: readonly string[]): boolean => {
  const path = `${folder}/allowlist.conf`
  writeFileSync(path, lines)
  try {
    requireAllowed(
      keys.map((key) => ({ key, path: key, value: '1' })),
      path,
    )
    return true
  } catch (error) {
    if (error instanceof CniError && error.message.includes('is not allowed on this node')) return false
    throw error
  }
}

test.for([
  ['^net\\.ipv4\\.', true],
  ['\n  ^net.ipv4  \n\n', true],
  ['^net.core$', false],
  ['core', false],
  ['ip_forward', true],
  ['\\Anet\\.ipv4\\.ip_forward\\z', true],
  ['^net\\.[[:alpha:]]+[[:digit:]]\\.(?P<name>\\w+)$', true],
  ['(?i)^NET\\.IPV4', true],
  ['', false],
  ['nothing\n^net', true],
] as const)('requireAllowed() of net.ipv4.ip_forward with %j is %s', ([lines, result]) => {
  expect(allowed(lines, 'net.ipv4.ip_forward')).toBe(result)
})

test('requireAllowed() needs every sysctl allowed, and no file when there is none', () => {
  expect(allowed('ipv4', 'net.ipv4.a', 'net.core.b')).toBe(false)
  expect(allowed('nothing')).toBe(true)
  expect(() => requireAllowed([{ key: 'net.a', path: 'net/a', value: '1' }], `${folder}/absent`)).not.toThrow()
})

test('requireAllowed() names a line that is no regular expression', () => {
  expect(() => allowed('net(', 'net.a')).toThrow('"net(" is no regular expression')
})
