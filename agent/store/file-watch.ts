/** Watching a folder of leases: the kernel says which file has changed (inotify), and only that one is read. What inotify
 *  does not see (another node's writes on a network file system) is found by looking at all files' times now and then. */
import { type FSWatcher, statfsSync, statSync, watch } from 'node:fs'
import { quote } from '../../addr/error.ts'
import { isDraft } from '../../overlay/folder-file.ts'
import { keyOfFile, keysIn, subnetsFolder } from '../../overlay/lease-folder.ts'
import { type FolderView, openView } from './file-view.ts'
import { type LeaseEvent, StoreError } from './store.ts'

/** Between two looks at all files, in ms: where inotify sees every change, and where it may not. */
const RESCAN_LOCAL = 60_000
const RESCAN_REMOTE = 10_000

/** File systems whose files change on this machine alone. linux/magic.h. */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, // ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
  0xf2f52010, // f2fs
  0x2fc12fc1, // zfs
])

/** Which folder this is: one that is made again, or mounted over, is another. */
const identityOf = (path: string): string => {
  const stat = statSync(path, { throwIfNoEntry: false })
  return stat?.isDirectory() ? `${stat.dev} ${stat.ino}` : ''
}

const isLocal = (path: string): boolean => LOCAL.has(statfsSync(path).type)

/** Undefined when the kernel has no watch to spare (fs.inotify.max_user_watches): then times alone must do. */
const openWatch = (path: string, changed: (name: string | null) => void): FSWatcher | undefined => {
  try {
    return watch(path, (_, name) => changed(name))
  } catch {
    return undefined
  }
}

const gone = (path: string): StoreError =>
  new StoreError(`the folder ${quote(path)} is not there any more, or another is in its place: it will be read again`)

/** What runs until `finish`: acts whose errors end it, and what is closed at its end. */
interface Session {
  readonly guard: (act: () => void) => void
  readonly onEnd: (close: () => void) => void
}

/** Resolves when `signal` aborts, rejects with the first error of an act. */
const session = (signal: AbortSignal, begin: (session: Session) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const closers: (() => void)[] = []
    const finish = (settle: () => void): void => {
      for (const close of closers.splice(0)) close()
      settle()
    }
    const guard = (act: () => void): void => {
      try {
        act()
      } catch (error) {
        finish(() => reject(error))
      }
    }
    const stop = (): void => finish(resolve)
    signal.addEventListener('abort', stop)
    closers.push(() => signal.removeEventListener('abort', stop))
    guard(() => {
      begin({ guard, onEnd: (close) => closers.push(close) })
      if (signal.aborted) stop()
    })
  })

/** Has `view` look at what changes in `path`, a folder that must stay the one it is. */
const follow = (path: string, view: FolderView, { guard, onEnd }: Session, period: number | undefined): void => {
  const identity = identityOf(path)
  const rescan = (): void => {
    if (identity === '' || identityOf(path) !== identity) throw gone(path)
    view.rescan()
  }
  const changed = (name: string | null): void => {
    const key = name === null ? undefined : keyOfFile(name)
    if (key !== undefined) view.refresh(key)
    else if (!isDraft(name ?? '')) rescan()
  }
  const watcher = openWatch(path, (name) => guard(() => changed(name)))
  watcher?.on('error', () => guard(rescan))
  const isSeen = watcher !== undefined && isLocal(path)
  const timer = setInterval(() => guard(rescan), period ?? (isSeen ? RESCAN_LOCAL : RESCAN_REMOTE))
  onEnd(() => {
    watcher?.close()
    clearInterval(timer)
  })
}

/** Tells `listener` all leases of `folder`, and every change until `signal` aborts. `period` between two looks at all
 *  files, in ms, follows from the file system by default. @throws StoreError when the folder is not there, or goes */
export const watchFolder = (
  folder: string,
  listener: (event: LeaseEvent) => void,
  signal: AbortSignal,
  period?: number,
): Promise<void> =>
  session(signal, (running) => {
    const view = openView(folder, listener, running.guard)
    running.onEnd(view.close)
    keysIn(folder)
    follow(subnetsFolder(folder), view, running, period)
    view.load()
  })
