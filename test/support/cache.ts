/** What the tests need from elsewhere and keep between runs, in /var/cache/podwire. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'

const CACHE = '/var/cache/podwire'

/** The path of `name` in the cache. When it is not there yet, `make` is called with the path of a draft, which becomes it:
 *  an interrupted `make` leaves nothing that looks finished. Prints `purpose` before it makes anything. */
export const cached = (name: string, purpose: string, make: (draft: string) => void): string => {
  const path = `${CACHE}/${name}`
  if (existsSync(path)) return path
  console.log(`preparing ${purpose}`)
  const draft = `${path}.draft-${process.pid}`
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
  rmSync(draft, { recursive: true, force: true })
  try {
    make(draft)
    renameSync(draft, path)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return path
}
