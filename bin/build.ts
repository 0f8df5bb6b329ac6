/** Builds `dist/podwire` and, beside it, its addon `dist/podwire.node` and its launcher `dist/podwire-plugin`. Run by `npm run build`. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, statSync } from 'node:fs'
import { bundle } from './bundle.ts'
import { generate } from './generate.ts'
import { pluginFolders } from './registry.ts'

const root = new URL('..', import.meta.url).pathname

const run = (program: string, ...args: readonly string[]): void => {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  throw new Error(`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
}

const modified = (path: string): number => statSync(path).mtimeMs

/** What is compiled from C: the addon, and the launcher of plugins. */
const NATIVE = ['dist/podwire.node', 'dist/podwire-plugin']

/** Compiles C when a source is newer than what was made of it. */
const buildNative = (): void => {
  const products = NATIVE.map((path) => `${root}${path}`)
  const sources = readdirSync(`${root}native`).map((file) => `${root}native/${file}`)
  const isNew = (product: string): boolean => sources.every((source) => modified(source) <= modified(product))
  if (products.every((product) => existsSync(product) && isNew(product))) return
  run('sh', 'native/build.sh')
}

/** A program of root must not take options from files of the folder it happens to be run in. */
const NO_AUTOLOAD = ['--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig']

/** Compiling starts a hundred times later than by default. A command ends before it would pay: 1.5 ms and 4 MiB a call
 *  (measured); an agent is rarely busy: bringing 5,000 peers into the kernel takes no longer, and then 10 MiB less. */
const LATE_JIT = '--compile-jit-policy=100'

/** Written beside and renamed, so that nobody runs half a file. */
const buildExecutable = async (types: readonly string[]): Promise<void> => {
  const script = `${root}build/podwire.js`
  const draft = `${root}build/podwire`
  await bundle(root, types, script)
  const options = ['--compile', '--bytecode', '--minify', LATE_JIT, ...NO_AUTOLOAD]
  run(`${root}node_modules/.bin/bun`, 'build', script, ...options, `--outfile=${draft}`)
  renameSync(draft, `${root}dist/podwire`)
}

const sizeOf = (path: string): string => `${(statSync(`${root}${path}`).size / 2 ** 20).toFixed(1)} MiB`

const build = async (): Promise<void> => {
  const started = performance.now()
  await generate()
  buildNative()
  const types = pluginFolders(root).map(({ type }) => type)
  await buildExecutable(types)
  for (const path of ['dist/podwire', ...NATIVE]) console.log(`${path} (${sizeOf(path)})`)
  console.log(`plugins: ${types.join(', ')}`)
  console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

build().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
