/** The addon `podwire.node`, which lies beside the executable (in a checkout: in `dist/`): the few calls Node lacks.
 *  Loaded by `process.dlopen` on first use, 0.2 ms. Everything here is synchronous. */

/** Each call throws an Error with `errno` (positive) and `syscall`. */
interface Addon {
  readonly netlinkOpen: (protocol: number, netns: number) => number
  readonly netlinkTransact: (fd: number, request: Uint8Array) => Uint8Array
  readonly setns: (fd: number) => void
  readonly flock: (fd: number, operation: number) => void
  readonly connectUnix: (path: string) => number
  readonly sha512: (bytes: Uint8Array) => string
  /** Lets go of the pages of the executable that are in memory; what is needed is read again from the page cache. */
  readonly giveBackPages: () => void
  /** All that a descriptor has, as UTF-8, at most `max` bytes; '' of a character device. */
  readonly readText: (fd: number, max: number) => string
  readonly writeText: (fd: number, text: string) => void
  /** The text of a file, of UTF-8 or with a character for each byte; or the errno, negative. */
  readonly readFile: (path: string, latin1: boolean) => string | number
  /** Makes a file, or replaces what it holds. 0, or the errno, negative. */
  readonly writeFile: (path: string, text: string, mode: number) => number
  /** Whether two paths lead to one file; false when either leads nowhere. */
  readonly sameFile: (path: string, other: string) => boolean
  /** A socket in the namespace `netns` (-1: this process's own); linux/net.h. */
  readonly socketOpen: (domain: number, type: number, protocol: number, netns: number) => number
  /** How many bytes of whole netlink messages were waiting, now in `into` (at least 64 KiB); 0: none; or the errno,
   *  negative: -ENOBUFS when messages were lost. */
  readonly netlinkReceive: (fd: number, into: Uint8Array) => number
  /** How many datagrams were waiting, now in `into` as records (datagram.ts); or the errno, negative. */
  readonly receiveDatagrams: (fd: number, into: Uint8Array) => number
  /** The socket takes in only what `program`, an array of struct sock_filter, lets through. linux/filter.h. */
  readonly attachFilter: (fd: number, program: Uint8Array) => void
  /** SIOCETHTOOL on the link `name`: `request` is a struct of linux/ethtool.h, which the kernel answers into. */
  readonly ethtool: (fd: number, name: string, request: Uint8Array) => void
  /** Has `callback` called, once, when `fd` can be read or has an error; returns the watch's number, which `rearm` takes to
   *  have it called once more, and `unwatch` to end it. Keeps neither the process alive nor `fd` from being closed. */
  readonly watch: (fd: number, callback: () => void) => number
  readonly rearm: (watch: number) => void
  readonly unwatch: (watch: number) => void
  /** The result, or the errno, negative. For file-call.ts alone: a wrong argument writes where it points. */
  readonly syscall: (number: number, ...args: readonly (number | string | Uint8Array)[]) => number
  /** The numbers of system calls on this machine, by name. */
  readonly numbers: Readonly<Record<string, number>>
}

export const LOCK_SH = 1
export const LOCK_EX = 2
export const LOCK_NB = 4
export const LOCK_UN = 8

/** The folder of the executable and of what belongs to it; in a checkout `dist/`. */
export const homeFolder = (): string =>
  process.versions.bun === undefined
    ? `${import.meta.dirname}/../dist`
    : process.execPath.slice(0, process.execPath.lastIndexOf('/'))

const load = (): Addon => {
  const module: { exports: unknown } = { exports: {} }
  process.dlopen(module, `${homeFolder()}/podwire.node`)
  return module.exports as Addon
}

let loaded: Addon | undefined
/** The addon, loaded on first use. @throws Error (dlopen) when `podwire.node` is not beside the executable. */
export const addon = (): Addon => {
  loaded ??= load()
  return loaded
}

const utf8 = new TextEncoder()
/** SHA-512 of the UTF-8 bytes of `text`, 128 hex digits. FIPS 180-4. */
export const sha512 = (text: string): string => addon().sha512(utf8.encode(text))
