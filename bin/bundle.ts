/** The executable's script: one CommonJS file with all its programs. Code that runs in each exec gets `native/files.ts` for
 *  `node:fs`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build, type Plugin } from 'esbuild'

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

/** The bundle of one program, as the text of a CommonJS module. */
const bundleOf = async (root: string, program: string): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [`${root}bin/${program}.ts`],
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
    plugins: [filesInPlaceOfFs(root)],
  })
  return outputFiles.map(({ text }) => text).join('')
}

/** A script that is the program of the name it is called by. Each is a function, and one that is not called costs nothing. */
const joined = (programs: readonly (readonly [type: string, code: string])[], commandLine: string): string =>
  `const programs = {
${programs.map(([type, code]) => `${JSON.stringify(type)}() {\n${code}},`).join('\n')}
}
const name = process.argv0.slice(process.argv0.lastIndexOf('/') + 1)
const commandLine = () => {
${commandLine}}
if (Object.hasOwn(programs, name)) programs[name]()
else commandLine()
`

/** Writes to `outfile` the script of the executable: the plugins `types` and the command line, each bundled for itself.
 *  @throws Error naming what does not resolve, or what `native/files.ts` lacks */
export const bundle = async (root: string, types: readonly string[], outfile: string): Promise<void> => {
  const bundles = await Promise.all(types.map((type) => bundleOf(root, `generated/plugin-${type}`)))
  const programs = types.map((type, i): [string, string] => [type, bundles[i] ?? ''])
  mkdirSync(dirname(outfile), { recursive: true })
  writeFileSync(outfile, joined(programs, await bundleOf(root, 'podwire')))
}
