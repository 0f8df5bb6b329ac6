/** Each environment variable with a wrong value, for each verb and plugin. */
import fc from 'fast-check'
import { quote } from '../../addr/error.ts'
import type { Output } from '../../cni/skel.ts'
import { type Base, basesIn, prevResultIn } from './base.ts'
import type { Ground } from './ground.ts'
import { codeOf, protocolProblems, textOf } from './judge.ts'
import { anyText } from './value.ts'
import type { Violation } from './violation.ts'

const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const
type Verb = (typeof VERBS)[number]
const ABOUT_ATTACHMENT: readonly string[] = ['ADD', 'DEL', 'CHECK']

/** What SPEC.md §2 and the kernel allow, written down again; undefined: nothing can be said from the text alone. */
const isAllowed: Readonly<Record<string, (text: string) => boolean | undefined>> = {
  CNI_COMMAND: (text) => VERBS.some((verb) => verb === text),
  CNI_CONTAINERID: (text) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}$/.test(text),
  CNI_IFNAME: (text) =>
    !['', '.', '..'].includes(text) && !/[/:%\s\0\u0085]/.test(text) && Buffer.byteLength(text) < 16,
  CNI_NETNS: () => undefined,
  CNI_ARGS: (text) => (text === '' || text.split(';').every((pair) => /^[^=]+=[^=]*$/s.test(pair)) ? undefined : false),
  CNI_PATH: (text) => (text === '' ? false : undefined),
  CNI_NETNS_OVERRIDE: () => undefined,
}
const NAMES = Object.keys(isAllowed)

interface Case {
  readonly base: Base
  readonly verb: Verb
  readonly name: string
  readonly value: string | undefined
}

/** Which verbs read a variable. */
const isRead = ({ verb, name }: Case): boolean =>
  name === 'CNI_COMMAND' || (name === 'CNI_PATH' ? verb !== 'VERSION' : ABOUT_ATTACHMENT.includes(verb)) || false

/** The pod's interface, which DEL would rightly remove. */
const HELD = 'eth0'

const casesOf = (bases: readonly Base[]): fc.Arbitrary<Case> =>
  fc.record({
    base: fc.constantFrom(...bases),
    verb: fc.constantFrom(...VERBS),
    name: fc.constantFrom(...NAMES),
    value: fc.option(
      anyText.filter((text) => text !== HELD),
      { nil: undefined, freq: 20 },
    ),
  })

/** No command at all is a person at a terminal: about text on stderr, status 0. */
const aboutProblems = ({ status, stdout, stderr }: Output): readonly string[] =>
  status === 0 && stdout === '' && stderr.includes('CNI')
    ? []
    : [`without CNI_COMMAND: status ${status}, ${quote(stdout)}`]

const refusalProblems = (output: Output, { name, value = '' }: Case): readonly string[] => {
  const text = textOf(output)
  const code = codeOf(output)
  return [
    ...(code === 4 ? [] : [`code ${code} for ${name}=${quote(value)}: ${text.slice(0, 200)}`]),
    ...(text.includes(name) ? [] : [`the refusal does not name ${name}: ${text.slice(0, 200)}`]),
    ...(value === '' || name === 'CNI_ARGS' || text.includes(quote(value).slice(0, 40))
      ? []
      : [`the refusal does not quote ${quote(value)}`]),
  ]
}

const judge = (one: Case, output: Output): readonly string[] => {
  const { name, value = '' } = one
  if (name === 'CNI_COMMAND' && value === '') return aboutProblems(output)
  const isMissingNetns = name === 'CNI_NETNS' && value === '' && one.verb !== 'DEL'
  const allowed = isMissingNetns ? false : isAllowed[name]?.(value)
  if (isRead(one) && allowed === false) return [...protocolProblems(output), ...refusalProblems(output, one)]
  return protocolProblems(output)
}

/** What ADD refuses before anything is done leaves no trace. */
const UNTOUCHED = [1, 4, 6, 7, 8]

/** DEL and GC clean up what is their own, also when the delegate is not found. */
const mayTouch = ({ verb, name }: Case): boolean => verb === 'GC' || (verb === 'DEL' && name === 'CNI_PATH')

const tryCase = (ground: Ground, one: Case): readonly Violation[] => {
  const { base, verb, name, value } = one
  const prevResult = verb === 'CHECK' ? { prevResult: prevResultIn(ground.podPath, base.ifName) } : {}
  const stdin = JSON.stringify({ ...base.conf, ...prevResult })
  const env = ground.env(verb, { CNI_IFNAME: base.ifName, [name]: value })
  const [digest, links] = [ground.digest(), ground.links()]
  const output = ground.run(base.plugin, env, stdin)
  const problems = [...judge(one, output)]
  if (UNTOUCHED.includes(codeOf(output)) && !mayTouch(one) && ground.digest() !== digest)
    problems.push(`code ${codeOf(output)}, but something was changed`)
  if (env['CNI_COMMAND'] === 'ADD' && output.status === 0)
    ground.run(base.plugin, { ...env, CNI_COMMAND: 'DEL' }, stdin)
  problems.push(...ground.movedLinks(links))
  const where = `${base.plugin} ${verb} ${name}`
  return problems.map((what) => ({ where, what, input: `${name}=${quote(value)}` }))
}

/** Tries `cases` wrong values of variables, made from `seed`. */
export const fuzzEnv = (ground: Ground, cases: number, seed: number): readonly Violation[] => {
  const bases = basesIn(ground.folder, ground.podPath).filter(({ lacking }) => !lacking)
  return fc.sample(casesOf(bases), { numRuns: cases, seed }).flatMap((one) => tryCase(ground, one))
}
