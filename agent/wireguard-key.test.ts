import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, describe, expect, test } from 'vitest'
import { publicKeyOf, wireguardKey } from './wireguard-key.ts'

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64')

/** RFC 7748 §6.1, and what `wg pubkey` prints. */
const ALICE = base64('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
const VECTORS: readonly (readonly [string, string])[] = [
  [ALICE, base64('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')],
  [
    base64('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
    base64('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'),
  ],
  ['AEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEA=', 'yibbclhjqKD0jnBmhGDYz6Rqw88DaejZLvTZekiwknE='],
]

test.for(VECTORS)('publicKeyOf() of %s', ([privateKey, publicKey]) => {
  expect(publicKeyOf(privateKey)).toBe(publicKey)
})

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})
const newFolder = (): string => {
  const folder = mkdtempSync(`${tmpdir()}/wgkey-`)
  folders.push(folder)
  return folder
}
const keyFile = (content: string, mode = 0o600): string => {
  const path = `${newFolder()}/wgkey`
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

describe('wireguardKey() makes a key', () => {
  test('that is whole, its own, and for its owner alone', () => {
    const folder = newFolder()
    const [path, other] = [`${folder}/run/flannel/wgkey`, `${folder}/other`]
    const made = wireguardKey(path)
    expect(modeOf(path)).toBe('600')
    expect(readFileSync(path, 'utf8')).toBe(made.privateKey)
    expect(readdirSync(`${folder}/run/flannel`)).toEqual(['wgkey'])
    expect(wireguardKey(path)).toEqual(made)
    expect(wireguardKey(other).privateKey).not.toBe(made.privateKey)
    expect(made.warning).toBeUndefined()
  })

  test('whose scalar is clamped', () => {
    const bytes = Buffer.from(wireguardKey(`${newFolder()}/key`).privateKey, 'base64')
    expect([(bytes[0] ?? 1) & 7, (bytes[31] ?? 0) >> 6]).toEqual([0, 1])
  })

  test('for its owner alone whatever the umask is', () => {
    const before = process.umask(0)
    try {
      const path = `${newFolder()}/key`
      wireguardKey(path)
      expect(modeOf(path)).toBe('600')
    } finally {
      process.umask(before)
    }
  })
})

describe('wireguardKey() keeps the key that is there', () => {
  test.for([
    ['as flanneld writes it', ALICE, 0o400],
    ['as `wg genkey > FILE` writes it', `${ALICE}\n`, 0o600],
  ] as const)('%s', ([, content, mode]) => {
    const path = keyFile(content, mode)
    expect(wireguardKey(path).publicKey).toBe(VECTORS[0]?.[1])
    expect([readFileSync(path, 'utf8'), modeOf(path)]).toEqual([content, mode.toString(8)])
  })

  test('behind a link, as a mounted secret is', () => {
    const path = keyFile(ALICE)
    symlinkSync(path, `${path}.link`)
    expect(wireguardKey(`${path}.link`).publicKey).toBe(VECTORS[0]?.[1])
  })

  test('as the kernel shows it: clamped', () => {
    const { privateKey, publicKey } = wireguardKey(keyFile(ALICE))
    expect(privateKey).toBe(base64('70076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c6a'))
    expect(publicKeyOf(privateKey)).toBe(publicKey)
  })

  test.for([0o640, 0o604, 0o644])('and closes it to others, with a warning (mode %o)', (mode) => {
    const path = keyFile(ALICE, mode)
    expect(wireguardKey(path).warning).toMatch(
      /could be read by others \(mode 06[04][04]\); its mode is 0600 now; .*delete/,
    )
    expect(modeOf(path)).toBe('600')
    expect(wireguardKey(path).warning).toBeUndefined()
  })
})

describe('wireguardKey() refuses', () => {
  const NO_KEY = /it holds no WireGuard key \(base64 of 32 bytes, \d+ characters were found\): .*delete the file/
  test.for([
    ['an empty file', ''],
    ['text', 'hunter2 is the password'],
    ['a key cut short', ALICE.slice(0, -4)],
    ['two keys', `${ALICE}\n${ALICE}\n`],
    ['the key of zeros', base64('00'.repeat(32))],
  ] as const)('%s, without saying what it is', ([, content]) => {
    const path = keyFile(content)
    expect(() => wireguardKey(path)).toThrow(NO_KEY)
    expect(() => wireguardKey(path)).not.toThrow(/hunter2|dwdtCn/)
    expect(readFileSync(path, 'utf8')).toBe(content)
  })

  test.for([0o620, 0o602, 0o666])('a file that others may write (mode %o)', (mode) => {
    expect(() => wireguardKey(keyFile(ALICE, mode))).toThrow(/others may write it \(mode 06[0-7]{2}\)/)
  })

  test('a file of another user', () => {
    const path = keyFile(ALICE)
    chownSync(path, 4711, 0)
    expect(() => wireguardKey(path)).toThrow('it belongs to user 4711')
  })

  test('a folder', () => {
    const path = `${newFolder()}/key`
    mkdirSync(path)
    expect(() => wireguardKey(path)).toThrow('it is no file')
  })
})
