/** What decides whether a reservation outlived its attachment: which machine this is, which boot, which file system. The
 *  one place that knows; `main.ts` is given it, and tests give another. */
import { readFileSync, statfsSync, statSync } from 'node:fs'
import { READ, readText, withFile } from './file.ts'

export interface Machine {
  /** Of this boot, 32 hex digits; '' when unknown: then no reservation is ever taken for outdated. */
  readonly bootId: () => string
  /** 32 hex digits; '' when unknown. */
  readonly machineId: () => string
  /** Milliseconds since 1970: nothing of this boot is older. */
  readonly bootTime: () => number
  /** Whether the file system at `path` is used by this machine alone and keeps its times at once. */
  readonly isLocal: (path: string) => boolean
  /** Milliseconds to wait for the lock of a network. */
  readonly patience: number
}

const HEX32 = /^[0-9a-f]{32}$/

/** `text` without dashes and white space, when 32 hex digits are left, else ''. */
const parseId = (text: string): string => {
  const digits = text.trim().split('-').join('')
  return HEX32.test(digits) ? digits : ''
}

const LONGEST_ID = 64

const readId = (path: string): string => {
  try {
    return parseId(withFile(path, READ, (fd) => readText(fd, LONGEST_ID)))
  } catch {
    return ''
  }
}

/** Now less the time since boot. The clock may have been set since, forward by decades on a board without a clock of its
 *  own, so no later than the oldest file of this boot: the kernel made /dev/null while it booted. */
const observeBootTime = (): number => {
  try {
    const uptime = Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * 1000
    return Math.min(Date.now() - uptime, statSync('/dev/null').mtimeMs)
  } catch {
    return 0
  }
}

/** linux/magic.h and the file systems' own headers. Network, FUSE and unknown file systems are absent on purpose: others may
 *  use them, and they may show a directory's time late. */
const LOCAL = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
  0x858458f6, // ramfs
  0x794c7630, // overlayfs
])

const isLocal = (path: string): boolean => {
  try {
    return LOCAL.has(statfsSync(path).type)
  } catch {
    return false
  }
}

/** Less than the two minutes a kubelet gives a sandbox, so that the runtime reads the reason. */
const PATIENCE = 90_000

export const thisMachine: Machine = {
  bootId: () => readId('/proc/sys/kernel/random/boot_id'),
  machineId: () => readId('/etc/machine-id'),
  bootTime: observeBootTime,
  isLocal,
  patience: PATIENCE,
}
