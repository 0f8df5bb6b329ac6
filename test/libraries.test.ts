/** What a command does not use is not loaded for it: libraries of the agent are imported by modules that bring in libraries
 *  alone, and those are imported when they are used (bin/parts.ts bundles them apart). */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { filesOf, isTest } from './source-tree.ts'

/** The command line is made of it. */
const EVERYWHERE = ['commander']

const STATIC = /^(?:import|export)(?! type\b)[^'"]*?from '([^']+)'|^import '([^']+)'/gm

/** What the module at `path` imports as soon as it is loaded itself. */
const importsOf = (path: string): readonly string[] =>
  [...readFileSync(`${import.meta.dirname}/../${path}`, 'utf8').matchAll(STATIC)].map(
    ([, from, bare]) => from ?? bare ?? '',
  )

const isLibrary = (name: string): boolean =>
  !name.startsWith('.') && !name.startsWith('node:') && !EVERYWHERE.includes(name)

const product = filesOf().filter((path) => /^(?:agent|cli)\/.*\.ts$/.test(path) && !isTest(path))
const modules = new Map(product.map((path) => [path, importsOf(path)]))
const ofLibraries = product.filter((path) => modules.get(path)?.some(isLibrary))

test('modules that import libraries import nothing of ours', () => {
  expect(ofLibraries.length).toBeGreaterThan(0)
  expect(ofLibraries.filter((path) => modules.get(path)?.some((name) => name.startsWith('.')))).toEqual([])
})

test('nothing imports them before it uses them', () => {
  const resolved = (from: string, to: string): string => new URL(to, `file:///${from}`).pathname.slice(1)
  const early = product.flatMap((from) =>
    (modules.get(from) ?? [])
      .filter((to) => to.startsWith('.') && ofLibraries.includes(resolved(from, to)))
      .map((to) => `${from} -> ${to}`),
  )
  expect(early).toEqual([])
})
