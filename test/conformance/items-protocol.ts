/** Items 1 to 8 and 41: what every executable owes whoever starts it, before any plugin comes in. */
import { quote } from '../../addr/error.ts'
import { each, type Item } from './item.ts'
import { demand, names, refused, said, same, succeeded } from './outcome.ts'
import type { Attachment, Change, Trial, Verb } from './trial.ts'
import { isAtLeast, VERSIONS } from './version.ts'

/** The verbs about an attachment that the trial's version has. */
const verbsOf = ({ version }: Trial): readonly Verb[] =>
  isAtLeast(version, '0.4.0') ? ['ADD', 'DEL', 'CHECK'] : ['ADD', 'DEL']

const versionOutput = async (trial: Trial): Promise<void> => {
  const stdin = JSON.stringify({ cniVersion: trial.version })
  const outcome = succeeded('VERSION', await trial.call('VERSION', await trial.attachment(), { stdin }))
  const { cniVersion, supportedVersions } = outcome.json ?? {}
  demand(Array.isArray(supportedVersions), `no supportedVersions in ${quote(outcome.stdout)}`)
  const unknown = supportedVersions.filter((version) => !VERSIONS.includes(version))
  demand(unknown.length === 0, `supportedVersions holds ${quote(unknown)}`)
  demand(supportedVersions.includes(trial.version), `supportedVersions lacks ${trial.version}`)
  // SPEC: the version of the request; libcni's skel: always its newest
  demand(supportedVersions.includes(cniVersion), `cniVersion is ${quote(cniVersion)}`)
}

const unknownCommand = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  await each(['FROB', 'add', ' ADD'], async (command) => {
    const what = `CNI_COMMAND ${quote(command)}`
    names(
      what,
      refused(what, await trial.call('ADD', attachment, { env: { CNI_COMMAND: command } }), [4]),
      'CNI_COMMAND',
    )
  })
}

const REQUIRED: Readonly<Partial<Record<Verb, readonly string[]>>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
}

const missingEnvironment = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const missing = verbsOf(trial).flatMap((verb) =>
    (REQUIRED[verb] ?? []).flatMap((name) => [undefined, ''].map((value) => ({ verb, name, value }))),
  )
  await each(missing, async ({ verb, name, value }) => {
    const what = `${verb} with ${name} ${value === undefined ? 'unset' : 'empty'}`
    names(what, refused(what, await trial.call(verb, attachment, { env: { [name]: value } }), [4]), name)
  })
}

const BAD_ENVIRONMENT: readonly (readonly [name: string, value: string])[] = [
  ...['-c', '.c', 'a/b', '../c', 'a b', 'a\nb', 'ä'].map((value) => ['CNI_CONTAINERID', value] as const),
  ...['.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'sixteenletters-x'].map((value) => ['CNI_IFNAME', value] as const),
]

const badEnvironment = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const cases = verbsOf(trial).flatMap((verb) => BAD_ENVIRONMENT.map(([name, value]) => ({ verb, name, value })))
  await each(cases, async ({ verb, name, value }) => {
    refused(`${verb} with ${name}=${quote(value)}`, await trial.call(verb, attachment, { env: { [name]: value } }), [4])
  })
}

const notJson = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const cut = `{"cniVersion":"${trial.version}","name":"net"`
  const cases = verbsOf(trial).flatMap((verb) => ['', cut, 'CNI', '[1]', '"text"'].map((stdin) => ({ verb, stdin })))
  await each(cases, async ({ verb, stdin }) => {
    refused(`${verb} with stdin ${quote(stdin)}`, await trial.call(verb, attachment, { stdin }), [6])
  })
}

const badName = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const cases = verbsOf(trial).flatMap((verb) =>
    [undefined, '', 'a/b', '../n', '-n', 'a b'].map((name) => ({ verb, name })),
  )
  await each(cases, async ({ verb, name }) => {
    refused(`${verb} with name ${quote(name)}`, await trial.call(verb, attachment, { conf: { name } }), [7])
  })
}

/** What is no version at all may also be called undecodable or invalid. */
const BAD_VERSIONS = [
  ...['9.9.9', '0.9.0', '1.1.1'].map((cniVersion) => ({ cniVersion, codes: [1] })),
  ...['1.0.0.0', 'v1.0.0', '1.x'].map((cniVersion) => ({ cniVersion, codes: [1, 6, 7] })),
]

const badVersion = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const cases = verbsOf(trial).flatMap((verb) => BAD_VERSIONS.map((bad) => ({ verb, ...bad })))
  await each(cases, async ({ verb, cniVersion, codes }) => {
    refused(
      `${verb} with cniVersion ${cniVersion}`,
      await trial.call(verb, attachment, { conf: { cniVersion } }),
      codes,
    )
  })
  await tooEarly(trial, attachment)
}

/** Verbs that the version does not have. A plugin written before 1.1.0 does not know GC and STATUS (4),
 *  or misses the container that its verbs are all about (3). */
const tooEarly = async (trial: Trial, attachment: Attachment): Promise<void> => {
  if (!isAtLeast(trial.version, '0.4.0'))
    refused(`CHECK at ${trial.version}`, await trial.call('CHECK', attachment), [1])
  if (isAtLeast(trial.version, '1.1.0')) return
  await each(['GC', 'STATUS'] as const, async (verb) => {
    refused(`${verb} at ${trial.version}`, await trial.call(verb, attachment), [1, 3, 4])
  })
}

const ownNetns = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const before = await trial.state()
  const env = { CNI_NETNS: `/run/netns/${trial.bed.node}` }
  refused("ADD into the plugin's own namespace", await trial.call('ADD', attachment, { env }), [8])
  same('ADD into the own namespace leaves', before, await trial.state())
  const allowed = await trial.call('ADD', attachment, { env: { ...env, CNI_NETNS_OVERRIDE: '1' } })
  demand(allowed.json?.['code'] !== 8, 'CNI_NETNS_OVERRIDE=1 does not allow it')
}

const FAILURES: readonly { readonly what: string; readonly verb: Verb; readonly change: Change }[] = [
  { what: 'no container id', verb: 'ADD', change: { env: { CNI_CONTAINERID: undefined } } },
  { what: 'no interface name', verb: 'DEL', change: { env: { CNI_IFNAME: undefined } } },
  { what: 'no JSON', verb: 'ADD', change: { stdin: '{' } },
  { what: 'no name', verb: 'ADD', change: { conf: { name: undefined } } },
  { what: 'bad version', verb: 'ADD', change: { conf: { cniVersion: '7.7.7' } } },
  { what: 'bad CNI_ARGS', verb: 'ADD', change: { env: { CNI_ARGS: 'nonsense' } } },
]

const isCode = (code: unknown): boolean =>
  Number.isInteger(code) && Number(code) !== 999 && ((Number(code) >= 1 && Number(code) <= 11) || Number(code) >= 50)

/** @throws Error unless the outcome is an error as SPEC.md §5 has it */
const errorShape = (what: string, outcome: Awaited<ReturnType<Trial['call']>>): void => {
  refused(what, outcome)
  const { cniVersion, code, msg, details, ...rest } = outcome.json ?? {}
  demand(isCode(code), `${what}: ${said(outcome)}: no code of the specification, of libcni, or of the plugin's own`)
  demand(typeof msg === 'string' && msg !== '', `${what}: msg is ${quote(msg)}`)
  demand(details === undefined || typeof details === 'string', `${what}: details is ${quote(details)}`)
  // SPEC asks for cniVersion; libcni's skel omits it
  demand(
    cniVersion === undefined || VERSIONS.some((version) => version === cniVersion),
    `cniVersion ${quote(cniVersion)}`,
  )
  demand(Object.keys(rest).length === 0, `${what}: unknown keys ${Object.keys(rest).join(' ')}`)
}

const errorJson = async (trial: Trial): Promise<void> => {
  const attachment = await trial.attachment()
  const wrong = { what: 'wrong value of a key', verb: 'ADD', change: { conf: trial.profile.wrong } } as const
  await each([...FAILURES, wrong], async ({ what, verb, change }) => {
    errorShape(what, await trial.call(verb, attachment, change))
  })
}

export const PROTOCOL: readonly Item[] = [
  { number: 1, title: 'VERSION output and version list', judge: versionOutput },
  { number: 2, title: 'unknown CNI_COMMAND is code 4', judge: unknownCommand },
  { number: 3, title: 'each missing variable is code 4, named', judge: missingEnvironment },
  { number: 4, title: 'bad container id, interface name: code 4', judge: badEnvironment },
  { number: 5, title: 'stdin that is no JSON is code 6', judge: notJson },
  { number: 6, title: 'missing or bad network name is code 7', judge: badName },
  { number: 7, title: 'unsupported version, verb: code 1', judge: badVersion },
  { number: 8, title: "the plugin's own namespace is code 8", judge: ownNetns },
  { number: 41, title: 'error JSON: schema, typed code', judge: errorJson },
]
