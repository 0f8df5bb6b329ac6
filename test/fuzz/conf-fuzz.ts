/** Each key of each configuration with a wrong value, for each verb. */
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { quote } from '../../addr/error.ts'
import { PROFILES } from '../conformance/profile.ts'
import { isAtLeast, type Json, readResult, resultIn, VERSIONS, type Version } from '../conformance/version.ts'
import { type Base, basesIn, prevResultIn } from './base.ts'
import { type Env, type Ground, schemaOf } from './ground.ts'
import { codeOf, conflictProblems, protocolProblems, refusalProblems } from './judge.ts'
import { type KeyPath, pathsIn, schemaPath, withAt } from './key-path.ts'
import { anyValue } from './value.ts'
import type { Violation } from './violation.ts'

const VERBS = ['ADD', 'ADD', 'ADD', 'DEL', 'CHECK', 'GC', 'STATUS'] as const
const SINCE = { ADD: '0.1.0', DEL: '0.1.0', CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' } as const

interface Case {
  readonly base: Base
  readonly verb: (typeof VERBS)[number]
  readonly path: KeyPath
  readonly value: unknown
}

/** Keys that lead to files: what is absolute stays below the folder. */
const PATH_KEYS: readonly unknown[] = ['dataDir', 'resolvConf', 'subnetFile', 'dir']

const confined = (folder: string, path: KeyPath, value: unknown): unknown =>
  PATH_KEYS.includes(path.at(-1)) && typeof value === 'string' && value.startsWith('/')
    ? `${folder}/a/b/c/d${value}`
    : value

const casesOf = (bases: readonly Base[], folder: string, isChosen: (path: KeyPath) => boolean): fc.Arbitrary<Case> =>
  fc.constantFrom(...bases).chain((base) => {
    const paths = pathsIn(base.conf).filter(isChosen)
    return fc
      .record({
        verb: fc.constantFrom(...VERBS.filter((verb) => isAtLeast(base.conf['cniVersion'] as Version, SINCE[verb]))),
        path: fc.constantFrom(...paths),
        value: anyValue,
      })
      .map(({ verb, path, value }) => ({ base, verb, path, value: confined(folder, path, value) }))
  })

type Validator = (conf: unknown) => boolean

const validators = (plugins: readonly string[]): ReadonlyMap<string, Validator> => {
  const ajv = new Ajv({ strict: false, unicodeRegExp: true })
  ajv.addSchema(schemaOf('net'), 'net.json')
  return new Map(
    plugins.map((plugin) => [plugin, ajv.compile({ ...schemaOf(plugin), $id: `${plugin}.json` }) as Validator]),
  )
}

/** `null` is absence to Go, and so to us. */
const isRefusable = (validate: Validator | undefined, conf: unknown, value: unknown): boolean =>
  value !== null && !(validate?.(conf) ?? true)

const VERSION_CODES = [1, 7]
const CONFIG_CODES = [7]

/** Whether the answer goes with the schema: what it refuses is refused, with a word on why. */
const schemaProblems = ({ path, value }: Case, output: ReturnType<Ground['run']>): readonly string[] => {
  if (output.status === 0) return [`${quote(value)} is accepted against the schema`]
  const codes = path[0] === 'cniVersion' ? VERSION_CODES : CONFIG_CODES
  const code = codeOf(output)
  const typed = codes.includes(code) ? [] : [`code ${code} for ${quote(value)}: ${output.stdout.slice(0, 300)}`]
  return [...typed, ...refusalProblems(output, path, value)]
}

/** Codes of refusals that come before anything is done. */
const UNTOUCHED = [1, 2, 4, 6, 7]

/** Parts of a configuration that the delegate of an attachment judges, when the rest is done. */
const OF_DELEGATE: readonly unknown[] = ['delegate', 'ipam', 'runtimeConfig', 'args']
const DELEGATING: readonly string[] = ['flannel', 'vxlan']

/** DEL and GC clean up what is their own, also when the delegate's part of the configuration is refused, and GC goes on past
 *  a store that says otherwise; ADD that has its attachment made by a delegate takes back what it did. */
const mayTouch = ({ base, verb, path }: Case): boolean =>
  ((verb === 'GC' || verb === 'DEL') && path[0] === 'ipam') ||
  (DELEGATING.includes(base.plugin) && (verb === 'GC' || OF_DELEGATE.includes(path[0])))

const tryCase = (ground: Ground, validate: Validator | undefined, one: Case): readonly Violation[] => {
  const { base, verb, path, value } = one
  const conf = withAt(base.conf, path, value) as Json
  const prevResult =
    verb === 'CHECK' && !('prevResult' in base.conf) ? prevResultIn(ground.podPath, base.ifName) : undefined
  const env = (command: string): Env => ground.env(command, { CNI_IFNAME: base.ifName })
  const stdin = JSON.stringify({ prevResult, ...conf })
  const [digest, links] = [ground.digest(), ground.links()]
  const output = ground.run(base.plugin, env(verb), stdin)
  const code = codeOf(output)
  const problems = [...protocolProblems(output)]
  if (isRefusable(validate, JSON.parse(stdin), value)) problems.push(...schemaProblems(one, output))
  else if (code === 7 && !base.lacking) problems.push(...conflictProblems(output, path, value))
  if (UNTOUCHED.includes(code) && !mayTouch(one) && ground.digest() !== digest)
    problems.push(`code ${code}, but something was changed`)
  if (verb === 'ADD' && output.status === 0) ground.run(base.plugin, env('DEL'), stdin)
  problems.push(...ground.movedLinks(links))
  const where = `${base.plugin}${base.variant === '' ? '' : ` (${base.variant})`} ${verb} ${schemaPath(path)}`
  return problems.map((what) => ({ where, what, input: stdin.slice(0, 2000) }))
}

const tryAll = (
  ground: Ground,
  bases: readonly Base[],
  isChosen: (path: KeyPath) => boolean,
  sample: { readonly numRuns: number; readonly seed: number },
): readonly Violation[] => {
  const validate = validators([...new Set(bases.map(({ plugin }) => plugin))])
  const cases = fc.sample(casesOf(bases, ground.folder, isChosen), sample)
  return cases.flatMap((one) => tryCase(ground, validate.get(one.base.plugin), one))
}

/** A configuration with a wrong value, for whatever is to be done with it. */
export interface Specimen {
  readonly plugin: string
  readonly verb: string
  readonly ifName: string
  readonly stdin: string
}

/** `count` configurations with a wrong value each, made from `seed`. */
export const specimens = (ground: Ground, count: number, seed: number): readonly Specimen[] => {
  const bases = basesIn(ground.folder, ground.podPath)
  return fc
    .sample(
      casesOf(bases, ground.folder, () => true),
      { numRuns: count, seed },
    )
    .map(({ base, verb, path, value }) => ({
      plugin: base.plugin,
      verb,
      ifName: base.ifName,
      stdin: JSON.stringify(withAt(base.conf, path, value)),
    }))
}

/** Tries `cases` wrong values of keys, made from `seed`. */
export const fuzzConf = (ground: Ground, cases: number, seed: number): readonly Violation[] =>
  tryAll(ground, basesIn(ground.folder, ground.podPath), () => true, { numRuns: cases, seed })

/** `base` under `version`, behind another plugin. */
const behind = (ground: Ground, base: Base, version: Version): Base => {
  const { cniVersion, dns, ...facts } = prevResultIn(ground.podPath, base.ifName)
  const prevResult = isAtLeast(version, '1.0.0')
    ? { ...facts, dns, cniVersion: version }
    : resultIn(version, { ...readResult(facts), dns: dns as Json })
  return {
    ...base,
    variant: `${base.variant} ${version}`.trim(),
    conf: { ...base.conf, cniVersion: version, prevResult },
  }
}

/** Tries `cases` wrong values in the previous result, in the shapes of all versions, made from `seed`. */
export const fuzzPrevResult = (ground: Ground, cases: number, seed: number): readonly Violation[] => {
  const all = basesIn(ground.folder, ground.podPath).filter(({ lacking }) => !lacking)
  const since = (base: Base): Version => PROFILES.find(({ plugin }) => plugin === base.plugin)?.since ?? '0.1.0'
  const bases = all.flatMap((base) =>
    VERSIONS.filter((version) => isAtLeast(version, since(base))).map((version) => behind(ground, base, version)),
  )
  return tryAll(ground, bases, ([first]) => first === 'prevResult', { numRuns: cases, seed })
}
