/** Debian packages unpacked into a folder, beside the system and not installed: of this release, or of the `testing` suite
 *  with an apt configuration of its own, so that the system's is not touched. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cached } from './cache.ts'
import { must } from './command.ts'

const SUITE = 'testing'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

const codename = (): string =>
  /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable'

/** The address this machine's apt gets its own release from. */
const mirror = (): string => {
  const targets = must(['apt-get', 'indextargets', '--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'])
  const own = targets.split('\n').find((line) => line.startsWith(`${codename()} `))
  if (own === undefined) throw new Error(`no source of ${codename()} among apt's sources:\n${targets}`)
  return own.split(' ')[1] ?? ''
}

/** apt options that make it see `suite` and nothing else. Its lists are kept for a day: what older ones name is gone. */
const aptOptions = (suite = SUITE): readonly string[] => {
  const today = new Date().toISOString().slice(0, 10)
  const state = cached(`apt-${suite}-${today}`, `package lists of Debian ${suite}`, (draft) => {
    for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(`${draft}/${folder}`, { recursive: true })
    writeFileSync(`${draft}/sources.list`, `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`)
    must(['apt-get', ...optionsFor(draft), 'update', '-qq'], { timeout: 300_000 })
  })
  return optionsFor(state)
}

const optionsFor = (state: string): readonly string[] =>
  [
    `Dir::Etc::sourcelist=${state}/sources.list`,
    'Dir::Etc::sourceparts=/nonexistent',
    `Dir::State::Lists=${state}/lists`,
    `Dir::Cache=${state}`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option])

const unpack = (options: readonly string[], packages: readonly string[], folder: string): void => {
  const archives = `${folder}/.archives`
  mkdirSync(archives, { recursive: true })
  must(['apt-get', '-o', 'Acquire::Retries=3', ...options, 'download', '-qq', ...packages], {
    cwd: archives,
    timeout: 600_000,
  })
  for (const archive of readdirSync(archives))
    must(['dpkg-deb', '-x', `${archives}/${archive}`, folder], { timeout: 600_000 })
  rmSync(archives, { recursive: true })
}

const dependsOf = (options: readonly string[], name: string, wanted: RegExp): string => {
  const listed = must(['apt-cache', ...options, 'depends', name])
  const found = listed.split('\n').map((line) => /^\s*Depends: (\S+)$/.exec(line)?.[1] ?? '')
  const first = found.find((depended) => wanted.test(depended))
  if (first === undefined) throw new Error(`${name} depends on no package like ${wanted}:\n${listed}`)
  return first
}

/** Unpacks `packages` of this release into `folder`. */
export const unpackOwn = (packages: readonly string[], folder: string): void =>
  unpack(['-o', 'APT::Sandbox::User=root'], packages, folder)

/** The first package like `wanted` that `name` of this release depends on. */
export const ownDependency = (name: string, wanted: RegExp): string => dependsOf([], name, wanted)

/** Unpacks `packages` of the `testing` suite into `folder`. Dependencies are not followed. */
export const unpackNewer = (packages: readonly string[], folder: string): void => unpack(aptOptions(), packages, folder)

/** Unpacks `packages` of an older release into `folder`. Dependencies are not followed. */
export const unpackOlder = (release: string, packages: readonly string[], folder: string): void =>
  unpack(
    aptOptions(release),
    packages.map((name) => `${name}/${release}`),
    folder,
  )

/** Unpacks the source package `name` of this release into `folder`, with Debian's patches. */
export const unpackSource = (name: string, folder: string): void => {
  const state = `${folder}/.apt`
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(`${state}/${part}`, { recursive: true })
  writeFileSync(`${state}/sources.list`, `deb-src [signed-by=${KEYRING}] ${mirror()} ${codename()} main\n`)
  must(['apt-get', ...optionsFor(state), 'update', '-qq'], { timeout: 300_000 })
  const options = ['-o', 'Acquire::Retries=3', ...optionsFor(state)]
  must(['apt-get', ...options, 'source', '-qq', name], { cwd: folder, timeout: 600_000 })
  rmSync(state, { recursive: true })
}

/** As `ownDependency`, of the `testing` suite. */
export const newerDependency = (name: string, wanted: RegExp): string => dependsOf(aptOptions(), name, wanted)
