/** `podwire gc`: the garbage collection that a runtime should do and containerd does not: finds what is left of pods that
 *  are gone, says so, and removes it. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { CniError, ERR_UNAVAILABLE } from '../cni/error.ts'
import { failureOf } from '../cni/failure.ts'
import { withGcLock } from '../cni/gc-lock.ts'
import { readNamespaces } from './collect/namespaces.ts'
import { type Report, renderReports } from './collect/report.ts'
import { askPlugins, detachStale, refuseNameless } from './collect/sweep.ts'
import { attachmentsOf, namelessOwners, readTraces } from './collect/traces.ts'
import { isKept, judge, type Source, type Verdict } from './collect/verdict.ts'
import { findNetwork, type Network, parseList, readNetworks } from './runtime/network.ts'
import { type CacheEntry, readCache, resultsFolder } from './runtime/result-cache.ts'
import { addRuntimeOptions, type RuntimeOptions, runtimeOf } from './runtime-options.ts'
import { count, openProgress, type Progress, renderError } from './screen.ts'

interface Options extends RuntimeOptions {
  readonly from: Source
  readonly grace: number
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly json?: boolean
}

/** Networks that attachments of the cache belong to though nobody configures them any more. */
const forgotten = (configured: readonly Network[], cache: readonly CacheEntry[]): readonly Network[] => {
  const missing = cache.filter(({ network }) => !configured.some(({ name }) => name === network))
  const first = missing.filter(({ network }, i) => missing.findIndex((other) => other.network === network) === i)
  return first.map(({ network, config }) => parseList(config, `the result cache (${network})`, ''))
}

const networksOf = (
  names: readonly string[],
  cache: readonly CacheEntry[],
  { confDir }: Options,
): readonly Network[] => {
  const configured = readNetworks(confDir)
  const all = [...configured, ...forgotten(configured, cache)]
  if (names.length === 0) return all
  return names.map((name) => all.find((network) => network.name === name) ?? findNetwork(confDir, name))
}

/** What there is on a network, to be taken while no ADD is half done. */
const surveyOf = (network: Network, { from, grace, cacheDir }: Options) => {
  const cache = readCache(cacheDir) ?? []
  const traces = readTraces(network, cache)
  const found = attachmentsOf(network.name, traces)
  const namespaces = readNamespaces(traces.cached.map(({ netns }) => netns))
  const rules = { from, grace: grace * 1000, now: Date.now() }
  const verdicts = found.map((each) => judge(each, namespaces, rules))
  return { verdicts, nameless: namelessOwners(network.name, traces, found), isCacheEmpty: cache.length === 0 }
}

/** An empty cache says that nothing is in use: where something would be removed for that, it is more likely lost, or
 *  elsewhere. @throws CniError 50 */
const refuseEmptyCache = (network: Network, verdicts: readonly Verdict[], { from, force, cacheDir }: Options): void => {
  const stale = verdicts.filter(({ state }) => state === 'stale').length
  if (from !== 'cache' || force === true || stale === 0) return
  throw new CniError(
    ERR_UNAVAILABLE,
    `the result cache ${resultsFolder(cacheDir)} is empty, but network ${network.name} has ${count(verdicts.length, 'attachment')}, ${stale} of them not seen to live; nothing was removed`,
    'If the runtime keeps its cache elsewhere, name its parent with --cache-dir.\nIf it was lost, --from netns goes by the namespaces that live.\n--force believes the cache.',
  )
}

const NOTHING = { asked: [], unaware: [] } as const

/** What cannot be collected on one network does not keep the others from being. */
const collect = (network: Network, options: Options, progress: Progress): Report => {
  try {
    return sweep(network, options, progress)
  } catch (error) {
    const failures = [failureOf(error)]
    return {
      network: network.name,
      file: network.file,
      verdicts: [],
      force: false,
      ...NOTHING,
      failures,
      note: 'refused',
    }
  }
}

const sweep = (network: Network, options: Options, progress: Progress): Report => {
  progress.step(`${network.name}: looking for attachments and namespaces`)
  const force = options.force ?? false
  const { verdicts, nameless, isCacheEmpty } = withGcLock(() => surveyOf(network, options))
  if (isCacheEmpty) refuseEmptyCache(network, verdicts, options)
  const report = { network: network.name, file: network.file, verdicts, force, ...NOTHING, failures: [] }
  if (options.dryRun === true) return report
  if (network.disableGC) return { ...report, note: '"disableGC": true: nothing was removed' }
  refuseNameless(network.name, nameless)
  const runtime = runtimeOf(options)
  const stale = verdicts.filter((verdict) => !isKept(verdict, force)).map(({ found }) => found)
  const failures = detachStale(network, stale, runtime, progress)
  const swept = askPlugins(
    network,
    () => {
      const now = surveyOf(network, options)
      refuseNameless(network.name, now.nameless)
      return now.verdicts.filter((verdict) => isKept(verdict, force)).map(({ found }) => found)
    },
    runtime,
    progress,
  )
  return { ...report, ...swept, failures: [...failures, ...swept.failures] }
}

const gc = (names: readonly string[], options: Options): void => {
  const progress = openProgress()
  try {
    const networks = networksOf(names, readCache(options.cacheDir) ?? [], options)
    const reports = networks.map((network) => collect(network, options, progress))
    progress.done()
    process.stdout.write(renderReports(reports, options))
    const failures = reports.flatMap((report) => report.failures)
    for (const failure of failures) process.stderr.write(renderError(failure))
    if (failures.length > 0) process.exitCode = 1
  } finally {
    progress.done()
  }
}

const parseSeconds = (text: string): number => {
  if (/^\d{1,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('A whole number of seconds is needed.')
}

const HELP = `
States: live (in use), new (being attached now), unlisted (in use, but not in the runtime's cache), stale (its pod is gone).
Only what is stale is removed; --force removes what is unlisted too, and takes an empty cache at its word.
For each stale attachment the plugins' DEL is run, which touches nothing else; then each plugin's GC removes what no name is
left of. While GC runs, ADDs of podwire wait.`

export const gcCommand = (): Command =>
  addRuntimeOptions(new Command('gc'))
    .description('find what is left of pods that are gone, and remove it')
    .argument('[networks...]', 'names of networks; all that are configured or cached when none is given')
    .addOption(
      new Option('--from <source>', "what is in use: the runtime's result cache, or the namespaces that live")
        .choices(['cache', 'netns'])
        .default('cache'),
    )
    .addOption(
      new Option('--grace <seconds>', 'a reservation younger than this may belong to an ADD that still runs')
        .argParser(parseSeconds)
        .default(60),
    )
    .option('--force', 'believe the result cache also where living namespaces contradict it')
    .option('--dry-run', 'only print what would be removed')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', HELP)
    .action((names: readonly string[], options: Options) => gc(names, options))
