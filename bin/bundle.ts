/** The executable's script: one CommonJS file with all its programs, and the libraries that the command line loads when it
 *  uses them (`parts.ts`). Code that runs in each exec gets `native/files.ts` for `node:fs`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { partsApart, renderParts } from './parts.ts'

/** The folders whose code runs when a runtime calls a plugin. */
export const EXEC_FOLDERS = [
  'addr',
  'bin',
  'cni',
  'ipam',
  'kernel',
  'native',
  'netfilter',
  'netlink',
  'overlay',
  'plugins',
]

const filesInPlaceOfFs = (root: string): Plugin => ({
  name: 'native-files',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^(node:)?fs$/ }, ({ importer }) =>
      EXEC_FOLDERS.some((folder) => importer.startsWith(`${root}${folder}/`))
        ? { path: `${root}native/files.ts` }
        : { path: 'node:fs', external: true },
    )
  },
})

/** What is bundled: a file, or the text of a module. */
type Entry = { readonly file: string } | { readonly text: string }

/** The bundle of `entry`, as the text of a CommonJS module. */
const bundleOf = async (root: string, entry: Entry, plugins: readonly Plugin[]): Promise<string> => {
  const { outputFiles } = await build({
    ...('file' in entry ? { entryPoints: [entry.file] } : { stdin: { contents: entry.text, resolveDir: root } }),
    bundle: true,
    write: false,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'es2023',
    // the addon is found beside the executable there, not beside the module
    define: { 'import.meta.dirname': 'undefined' },
    logLevel: 'warning',
    logOverride: { 'import-is-undefined': 'error' },
    plugins: [...plugins],
  })
  return outputFiles.map(({ text }) => text).join('')
}

type Named = readonly [name: string, code: string]

const programOf = (root: string, program: string): Promise<string> =>
  bundleOf(root, { file: `${root}bin/${program}.ts` }, [filesInPlaceOfFs(root)])

const partOf = async (root: string, part: string): Promise<Named> => [
  part,
  await bundleOf(root, { text: `module.exports = require(${JSON.stringify(part)})` }, []),
]

/** The bundle of the module `file`, and those of the parts that it imports when they are used. */
export const bundleWithParts = async (
  root: string,
  file: string,
): Promise<{ code: string; parts: readonly Named[] }> => {
  const names = new Set<string>()
  const code = await bundleOf(root, { file }, [partsApart(root, (part) => names.add(part)), filesInPlaceOfFs(root)])
  return { code, parts: await Promise.all([...names].sort().map((name) => partOf(root, name))) }
}

/** A script that is the program of the name it is called by. Each is a function, and one that is not called costs nothing. */
const joined = (programs: readonly Named[], commandLine: string, parts: readonly Named[]): string =>
  `const programs = {
${programs.map(([type, code]) => `${JSON.stringify(type)}() {\n${code}},`).join('\n')}
}
const name = process.argv0.slice(process.argv0.lastIndexOf('/') + 1)
const commandLine = () => {
${renderParts(parts)}${commandLine}}
if (Object.hasOwn(programs, name)) programs[name]()
else commandLine()
`

/** Writes to `outfile` the script of the executable: the plugins `types` and the command line, each bundled for itself.
 *  @throws Error naming what does not resolve, or what `native/files.ts` lacks */
export const bundle = async (root: string, types: readonly string[], outfile: string): Promise<void> => {
  const programs = types.map(async (type): Promise<Named> => [type, await programOf(root, `generated/plugin-${type}`)])
  const { code, parts } = await bundleWithParts(root, `${root}bin/podwire.ts`)
  mkdirSync(dirname(outfile), { recursive: true })
  writeFileSync(outfile, joined(await Promise.all(programs), code, parts))
}
