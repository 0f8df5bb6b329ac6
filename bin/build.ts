/** Builds `dist/podwire` and, beside it, its addon `dist/podwire.node`. Run by `npm run build`. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { generate } from './generate.ts'

const root = new URL('..', import.meta.url).pathname

const run = (program: string, ...args: readonly string[]): void => {
  const { status, error, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  throw new Error(`${program} ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`)
}

const modified = (path: string): number => statSync(path).mtimeMs

/** Compiles the addon when a source is newer than it. */
const buildAddon = (): void => {
  const addon = `${root}dist/podwire.node`
  const sources = readdirSync(`${root}native`).map((file) => `${root}native/${file}`)
  if (existsSync(addon) && sources.every((source) => modified(source) <= modified(addon))) return
  run('sh', 'native/build.sh')
}

/** A program of root must not take options from files of the folder it happens to be run in. */
const NO_AUTOLOAD = ['--no-compile-autoload-dotenv', '--no-compile-autoload-bunfig']

/** Written beside and renamed, so that nobody runs half a file. */
const buildExecutable = (): void => {
  const draft = `${root}dist/podwire.new`
  const options = ['--compile', '--bytecode', '--minify', ...NO_AUTOLOAD, `--outfile=${draft}`]
  run(`${root}node_modules/.bin/bun`, 'build', 'bin/podwire.ts', ...options)
  renameSync(draft, `${root}dist/podwire`)
  rmSync(`${draft}.jsc`, { force: true })
}

const sizeOf = (path: string): string => `${(statSync(`${root}${path}`).size / 2 ** 20).toFixed(1)} MiB`

const started = performance.now()
const types = await generate()
buildAddon()
buildExecutable()
for (const path of ['dist/podwire', 'dist/podwire.node']) console.log(`${path} (${sizeOf(path)})`)
console.log(`plugins with a schema: ${types.join(', ')}`)
console.log(`built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
