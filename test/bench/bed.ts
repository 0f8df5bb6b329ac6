/** Two nodes, one for podwire and one for the reference, with as many pods as a measure needs, and each side's plugins. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'
import { makeNetns } from '../support/netns.ts'
import { makeNode } from '../support/node.ts'
import { REFERENCE } from '../support/plugin.ts'

export interface Side {
  readonly name: 'podwire' | 'reference'
  /** Folder of executables: CNI_PATH. */
  readonly bin: string
  /** Name of the node's namespace. */
  readonly node: string
  /** Folder for what plugins keep: reservations, backups. */
  readonly folder: string
}

export interface Sides {
  readonly podwire: Side
  readonly reference: Side
}

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

/** A folder into which podwire installed itself, as a user's node has it. @throws Error before `npm run build` */
const installed = (): string => {
  if (!existsSync(PODWIRE)) throw new Error('dist/podwire is missing: run "npm run build" first')
  const folder = makeFolder('bench-bin')
  must([PODWIRE, 'install', '--bin-dir', folder])
  return folder
}

/** Fresh copies of the reference's executables: how fast a program starts depends on how the page cache holds its file, and
 *  what was just written starts faster. */
const copied = (source: string): string => {
  const folder = makeFolder('bench-reference')
  for (const name of readdirSync(source)) copyFileSync(`${source}/${name}`, `${folder}/${name}`)
  return folder
}

const sideOf = (name: Side['name'], bin: string): Side => {
  const { node, folder } = makeNode(0, `bench-${name}`)
  return { name, bin, node, folder }
}

/** @throws Error when either side's executables are missing */
export const makeSides = (): Sides => {
  if (!existsSync(`${REFERENCE}/bridge`))
    throw new Error(`${REFERENCE}/bridge is missing: apt-get install containernetworking-plugins`)
  return { podwire: sideOf('podwire', installed()), reference: sideOf('reference', copied(REFERENCE)) }
}

/** Names of `count` new namespaces, as a runtime makes them for pods. */
export const makePods = (count: number): readonly string[] =>
  Array.from({ length: count }, () => makeNetns('bench-pod'))
