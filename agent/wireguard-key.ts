/** The private key of this node, in a file that flanneld can use too (pkg/backend/wireguard `setupKeys`): base64, nothing
 *  else. Who reads it can read what other nodes send here, and speak as this node. */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { DecodeError } from '../addr/error.ts'
import { isNoKey, isWireguardKey, keyBytes, keyOf } from '../netlink/wireguard-key.ts'

export interface WireguardKey {
  /** Base64, clamped as the kernel holds it. */
  readonly privateKey: string
  readonly publicKey: string
  /** What an operator should know of the file. */
  readonly warning?: string
}

const KEY_BYTES = 32
const OWNER_ONLY = 0o600
const OTHERS_READ = 0o044
const OTHERS_WRITE = 0o022

/** X25519's own form of a scalar: a multiple of 8, bit 254 set, bit 255 not. RFC 7748 §5. */
const clamp = (bytes: Uint8Array): Uint8Array => {
  const scalar = Uint8Array.from(bytes)
  scalar[0] = (scalar[0] ?? 0) & 0xf8
  scalar[31] = ((scalar[31] ?? 0) & 0x7f) | 0x40
  return scalar
}

/** What stands before the 32 bytes of an X25519 private key as PKCS #8. RFC 8410 §7. */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** As `wg pubkey`. */
export const publicKeyOf = (privateKey: string): string => {
  const key = Buffer.concat([PKCS8, keyBytes(privateKey)])
  const secret = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  return keyOf(createPublicKey(secret).export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES))
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

const writeNew = (path: string, text: string): void => {
  const fd = openSync(path, 'wx', OWNER_ONLY)
  try {
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes the file with a new key, whole or not at all; one that somebody else has made meanwhile stays. */
const createFile = (path: string): void => {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.${randomBytes(8).toString('hex')}`
  writeNew(draft, keyOf(clamp(randomBytes(KEY_BYTES))))
  try {
    linkSync(draft, path)
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    unlinkSync(draft)
  }
}

const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0')

/** Only the one who runs this, or root, may say what the key is. @throws DecodeError */
const requireOwn = (path: string, stats: Stats): void => {
  const { mode, uid } = stats
  if (!stats.isFile()) throw new DecodeError(path, 'it is no file; name another one with --wireguard-key-file')
  if (uid !== 0 && uid !== process.geteuid?.())
    throw new DecodeError(
      path,
      `it belongs to user ${uid}, who may know the key: chown it to root, or delete it and a new one is made`,
    )
  if ((mode & OTHERS_WRITE) !== 0)
    throw new DecodeError(
      path,
      `others may write it (mode ${octal(mode)}), so the key may be theirs: delete it and a new one is made`,
    )
}

const tighten = (fd: number, path: string, mode: number): string | undefined => {
  if ((mode & OTHERS_READ) === 0) return undefined
  const found = `${path} could be read by others (mode ${octal(mode)})`
  const advice = 'if anybody may have, delete the file: a new key is made'
  try {
    fchmodSync(fd, OWNER_ONLY)
    return `${found}; its mode is 0600 now; ${advice}`
  } catch (error) {
    return `${found} and that cannot be changed (${codeOf(error)}); ${advice}`
  }
}

/** @throws DecodeError that does not say what is in the file */
const parseKey = (path: string, content: string): string => {
  const text = content.trim()
  if (!isWireguardKey(text) || isNoKey(keyBytes(text)))
    throw new DecodeError(
      path,
      `it holds no WireGuard key (base64 of 32 bytes, ${content.length} characters were found): put the key back as \`wg genkey\` writes it, or delete the file and a new one is made`,
    )
  return keyOf(clamp(keyBytes(text)))
}

const readKey = (path: string): WireguardKey => {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(fd)
    requireOwn(path, stats)
    const privateKey = parseKey(path, readFileSync(fd, 'utf8'))
    const warning = tighten(fd, path, stats.mode)
    return { privateKey, publicKey: publicKeyOf(privateKey), ...(warning === undefined ? {} : { warning }) }
  } finally {
    closeSync(fd)
  }
}

/** The key in the file `path`, which is made with a new one when it is not there.
 *  @throws DecodeError when what is there cannot be used or trusted; Error of the file system */
export const wireguardKey = (path: string): WireguardKey => {
  try {
    return readKey(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    createFile(path)
    return readKey(path)
  }
}
