/** Parts of a program: libraries that are imported when they are used (`await import(...)`), each bundled for itself. In one
 *  bundle with the rest, every function of a library would be made at each start, called or not: for client-node, grpc-js,
 *  pino and prom-client together 2.6 ms and 3 MiB (measured). */
import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import type { Plugin } from 'esbuild'

/** An import of a module of ours that is still there when the file runs. */
const OWN_IMPORT = /^(?:import|export)(?! type\b)[^'"]*['"]\.{1,2}\/|\b(?:import|require)\(\s*['"]\.{1,2}\//m

/** A module of our own is a part when all it brings in are libraries: with more of ours in it there would be two of each
 *  module, and an error of one would be no instance of the other's class. */
const bringsInLibrariesAlone = (file: string): boolean => !OWN_IMPORT.test(readFileSync(file, 'utf8'))

/** Leaves parts out of the bundle that imports them; `found` is told what each is: a package, or a module as
 *  `./agent/x.ts`, below `root`. */
export const partsApart = (root: string, found: (part: string) => void): Plugin => ({
  name: 'parts',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^[^/]/ }, ({ kind, path, importer }) => {
      if (kind !== 'dynamic-import' || path.startsWith('node:')) return undefined
      const file = path.startsWith('.') ? resolve(dirname(importer), path) : undefined
      if (file !== undefined && !bringsInLibrariesAlone(file)) return undefined
      const part = file === undefined ? path : `./${relative(root, file)}`
      found(part)
      return { path: part, namespace: 'part' }
    })
    onLoad({ filter: /./, namespace: 'part' }, ({ path }) => ({
      contents: `module.exports = partOf(${JSON.stringify(path)})`,
      loader: 'js',
    }))
  },
})

/** The script's side: `partOf(name)` gives the exports of a part, evaluated when it is first asked for.
 *  @param parts name and the text of its CommonJS module */
export const renderParts = (parts: readonly (readonly [name: string, code: string])[]): string =>
  `const parts = {
${parts.map(([name, code]) => `${JSON.stringify(name)}(module, exports) {\n${code}},`).join('\n')}
}
const evaluated = {}
const partOf = (name) => {
  if (!Object.hasOwn(evaluated, name)) {
    const module = { exports: {} }
    parts[name](module, module.exports)
    evaluated[name] = module.exports
  }
  return evaluated[name]
}
`
