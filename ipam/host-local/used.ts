/** The bitmap of reserved addresses on disk: a file per chunk in the index folder. */
import { readdirSync } from 'node:fs'
import type { Family } from '../../addr/ip.ts'
import type { NextFree } from './allocator.ts'
import { bitOf, CHUNK_BYTES, type Chunks, chunkName, clearBit, isChunkName, searchOf, setBit } from './bitmap.ts'
import { isPresent, READ, REPLACE, readAt, remove, UPDATE, withFile, writeAt } from './file.ts'

export interface Used {
  readonly nextFree: NextFree
  /** Changes one bit, on disk too. */
  readonly mark: (n: bigint, family: Family, used: boolean) => void
}

const readChunk = (path: string): Uint8Array | undefined => {
  if (!isPresent(path)) return undefined
  const bits = new Uint8Array(CHUNK_BYTES) // what the file is short of is zero
  withFile(path, READ, (fd) => readAt(fd, bits, 0))
  return bits
}

const writeByte = (path: string, bits: Uint8Array, at: number): void =>
  withFile(path, UPDATE, (fd) => writeAt(fd, bits.subarray(at, at + 1), at))

/** The chunks in `folder`, each read when it is first needed. */
export const openUsed = (folder: string): Used => {
  const loaded = new Map<string, Uint8Array | undefined>()
  const load = (name: string): Uint8Array | undefined => {
    if (!loaded.has(name)) loaded.set(name, readChunk(`${folder}/${name}`))
    return loaded.get(name)
  }
  const mark = (n: bigint, family: Family, used: boolean): void => {
    const name = chunkName(n, family)
    const bits = load(name) ?? new Uint8Array(CHUNK_BYTES)
    const change = used ? setBit : clearBit
    change(bits, bitOf(n))
    loaded.set(name, bits)
    writeByte(`${folder}/${name}`, bits, bitOf(n) >> 3)
  }
  return { nextFree: searchOf(load), mark }
}

/** Makes `chunks` all that `folder` holds. */
export const replaceUsed = (folder: string, chunks: Chunks): void => {
  for (const name of readdirSync(folder)) if (isChunkName(name) && !chunks.has(name)) remove(`${folder}/${name}`)
  for (const [name, bits] of chunks) withFile(`${folder}/${name}`, REPLACE, (fd) => writeAt(fd, bits, 0))
}
