/** The test's own thread in a namespace: for driving kernel/ without an executable. */
import { closeSync, openSync } from 'node:fs'
import { addon } from '../../native/addon.ts'
import { pathOf } from './netns.ts'

/** What synchronous code `use` returns when this thread is in the namespace `name`, so that its `node` is that namespace. */
export const entered = <T>(name: string, use: () => T): T => {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const there = openSync(pathOf(name), 'r')
  try {
    addon().setns(there)
    return use()
  } finally {
    addon().setns(home)
    closeSync(there)
    closeSync(home)
  }
}
