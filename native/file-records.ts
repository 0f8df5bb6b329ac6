/** What the kernel writes into a buffer: statx(2), statfs(2), getdents64(2), each in its one layout for every machine of
 *  64 bits and little endian. linux/stat.h, asm-generic/statfs.h. */

export const STATX_SIZE = 256
export const STATFS_SIZE = 120

const S_IFMT = 0o170000
const S_IFREG = 0o100000
const S_IFDIR = 0o040000
const S_IFCHR = 0o020000
const S_IFBLK = 0o060000
const S_IFIFO = 0o010000
const S_IFLNK = 0o120000
const S_IFSOCK = 0o140000

interface StatsOf<N> {
  readonly dev: N
  readonly ino: N
  readonly mode: N
  readonly nlink: N
  readonly uid: N
  readonly gid: N
  /** Bytes. */
  readonly size: N
  readonly mtimeMs: N
  readonly isFile: () => boolean
  readonly isDirectory: () => boolean
  readonly isSymbolicLink: () => boolean
  readonly isCharacterDevice: () => boolean
  readonly isBlockDevice: () => boolean
  readonly isFIFO: () => boolean
  readonly isSocket: () => boolean
}
export type Stats = StatsOf<number>
export interface BigIntStats extends StatsOf<bigint> {
  readonly mtimeNs: bigint
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const u64At = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32

/** The number glibc's makedev gives, for majors below 4096. */
const deviceOf = (major: number, minor: number): number => (minor & 0xff) + major * 256 + (minor >>> 8) * 2 ** 20

type Mode = { readonly mode: number | bigint }
const isKind = ({ mode }: Mode, kind: number): boolean => (Number(mode) & S_IFMT) === kind

/** The methods of all: seven closures for each cost more than its numbers (measured). */
const KINDS = {
  isFile(this: Mode) {
    return isKind(this, S_IFREG)
  },
  isDirectory(this: Mode) {
    return isKind(this, S_IFDIR)
  },
  isSymbolicLink(this: Mode) {
    return isKind(this, S_IFLNK)
  },
  isCharacterDevice(this: Mode) {
    return isKind(this, S_IFCHR)
  },
  isBlockDevice(this: Mode) {
    return isKind(this, S_IFBLK)
  },
  isFIFO(this: Mode) {
    return isKind(this, S_IFIFO)
  },
  isSocket(this: Mode) {
    return isKind(this, S_IFSOCK)
  },
}

type Kinds = { readonly [K in keyof typeof KINDS]: () => boolean }

const withKinds = <T extends Mode>(numbers: T): T & Kinds => Object.assign(Object.create(KINDS) as Kinds, numbers)

/** struct statx. */
export const statOf = (bytes: Uint8Array): Stats => {
  const view = viewOf(bytes)
  return withKinds({
    dev: deviceOf(view.getUint32(136, true), view.getUint32(140, true)),
    ino: u64At(view, 32),
    mode: view.getUint16(28, true),
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: u64At(view, 40),
    mtimeMs: u64At(view, 112) * 1000 + view.getUint32(120, true) / 1e6,
  })
}

/** struct statx, exact: inodes and times beyond 2^53. */
export const bigStatOf = (bytes: Uint8Array): BigIntStats => {
  const view = viewOf(bytes)
  const { dev, mode, nlink, uid, gid } = statOf(bytes)
  const mtimeNs = view.getBigInt64(112, true) * 1_000_000_000n + BigInt(view.getUint32(120, true))
  return withKinds({
    dev: BigInt(dev),
    ino: view.getBigUint64(32, true),
    mode: BigInt(mode),
    nlink: BigInt(nlink),
    uid: BigInt(uid),
    gid: BigInt(gid),
    size: view.getBigUint64(40, true),
    mtimeMs: mtimeNs / 1_000_000n,
    mtimeNs,
  })
}

export interface StatFs {
  readonly type: number
  readonly bsize: number
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
}

/** struct statfs. */
export const statfsOf = (bytes: Uint8Array): StatFs => {
  const view = viewOf(bytes)
  const [type = 0, bsize = 0, blocks = 0, bfree = 0, bavail = 0, files = 0, ffree = 0] = [0, 8, 16, 24, 32, 40, 48].map(
    (at) => u64At(view, at),
  )
  return { type, bsize, blocks, bfree, bavail, files, ffree }
}

const NAME_AT = 19
const text8 = new TextDecoder()

/** The names in a buffer of struct linux_dirent64, `.` and `..` left out. */
export const namesOf = (bytes: Uint8Array): readonly string[] => {
  const view = viewOf(bytes)
  const names: string[] = []
  for (let at = 0; at < bytes.length; at += view.getUint16(at + 16, true)) {
    const end = bytes.indexOf(0, at + NAME_AT)
    const name = text8.decode(bytes.subarray(at + NAME_AT, end))
    if (name !== '.' && name !== '..') names.push(name)
  }
  return names
}
