/** All modules of the executable as one CommonJS file. Code that runs in each exec gets `native/files.ts` for `node:fs`. */
import { build, type Plugin } from 'esbuild'

/** The folders whose code runs when a runtime calls a plugin. */
export const EXEC_FOLDERS = ['addr', 'bin', 'cni', 'ipam', 'kernel', 'native', 'netfilter', 'netlink', 'plugins']

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

/** Writes the bundle of `${root}bin/podwire.ts` to `outfile`. @throws Error naming what does not resolve, or what
 *  `native/files.ts` lacks */
export const bundle = async (root: string, outfile: string): Promise<void> => {
  await build({
    entryPoints: [`${root}bin/podwire.ts`],
    outfile,
    bundle: true,
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
}
