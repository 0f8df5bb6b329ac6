/** `podwire uninstall`: takes back what `install` did to a folder, and puts back what it had replaced. */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { withFolder } from './install/folder.ts'
import { KEPT_FOLDER } from './install/place.ts'
import { FILES } from './install/source.ts'
import { isOurs } from './install/steps.ts'
import { DEFAULT_FOLDER } from './install.ts'
import type { Plugins } from './main.ts'
import { renderTable } from './screen.ts'

interface Options {
  readonly binDir: string
  readonly dryRun?: boolean
  readonly json?: boolean
}

interface Step {
  readonly name: string
  readonly action: 'put back' | 'removed'
}

/** Links that are ours, of the types of this executable or any that an older one had. */
const linksOf = (folder: string, types: readonly string[]): readonly string[] =>
  readdirSync(folder)
    .filter((name) => !(FILES as readonly string[]).includes(name))
    .filter((name) => types.includes(name) || lstatSync(join(folder, name)).isSymbolicLink())
    .filter((name) => isOurs(folder, name))

const planUninstall = (folder: string, types: readonly string[]): readonly Step[] => {
  if (!existsSync(folder)) return []
  const links = linksOf(folder, types).map((name): Step => {
    const isKept = lstatSync(join(folder, KEPT_FOLDER, name), { throwIfNoEntry: false }) !== undefined
    return { name, action: isKept ? 'put back' : 'removed' }
  })
  const files = FILES.filter((name) => existsSync(join(folder, name)))
  // links before the executable they lead to: no plugin is ever a dangling link
  return [...links, ...files.toReversed().map((name): Step => ({ name, action: 'removed' }))]
}

const take = (folder: string, { name, action }: Step): void => {
  if (action === 'put back') renameSync(join(folder, KEPT_FOLDER, name), join(folder, name))
  else rmSync(join(folder, name), { force: true })
}

const uninstall = (plugins: Plugins, { binDir, dryRun = false, json = false }: Options): void => {
  const steps = planUninstall(binDir, Object.keys(plugins))
  if (!dryRun && steps.length > 0)
    withFolder(binDir, () => {
      for (const step of steps) take(binDir, step)
      const kept = join(binDir, KEPT_FOLDER)
      if (existsSync(kept) && readdirSync(kept).length === 0) rmSync(kept, { recursive: true })
    })
  if (json) process.stdout.write(`${JSON.stringify(steps)}\n`)
  else if (steps.length === 0) process.stdout.write(`There is nothing of podwire in ${binDir}.\n`)
  else
    process.stdout.write(
      renderTable(
        ['FILE', 'ACTION'],
        steps.map(({ name, action }) => [name, action]),
      ),
    )
}

export const uninstallCommand = (plugins: Plugins): Command =>
  new Command('uninstall')
    .description('take podwire out of a folder of CNI plugins and put back what it had replaced')
    .option('--bin-dir <dir>', 'the folder', DEFAULT_FOLDER)
    .option('--dry-run', 'only print what would be done')
    .option('--json', 'print the steps as JSON')
    .addHelpText(
      'after',
      '\nPods that were attached stay attached: detach them first, or their DEL has nobody to answer it.',
    )
    .action((options: Options) => uninstall(plugins, options))
