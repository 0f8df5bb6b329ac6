/** Anything at all on stdin: text that is no JSON, JSON that is no configuration, configurations in odd spellings. */
import fc from 'fast-check'
import { quote } from '../../addr/error.ts'
import { type Base, basesIn } from './base.ts'
import type { Ground } from './ground.ts'
import { codeOf, protocolProblems } from './judge.ts'
import { anyText } from './value.ts'
import type { Violation } from './violation.ts'

const VERBS = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const

interface Case {
  readonly base: Base
  readonly verb: (typeof VERBS)[number]
  readonly stdin: string
}

const DEEP = 20_000

/** Spellings of `json` that a decoder may stumble over. */
const oddSpellings = (json: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.nat(json.length).map((length) => json.slice(0, length)),
    fc.tuple(fc.nat(json.length), anyText).map(([at, text]) => json.slice(0, at) + text + json.slice(at)),
    fc.tuple(fc.nat(json.length), fc.nat(8)).map(([at, count]) => json.slice(0, at) + json.slice(at + count)),
    fc.constantFrom(
      `\ufeff${json}`,
      `${json}${json}`,
      `${json}\0`,
      ` \t\n${json}`,
      json.toUpperCase(),
      `{"name":"other",${json.slice(1)}`,
      `${json.slice(0, -1)},"Name":"../../PWNED"}`,
      `${json.slice(0, -1)},"ipam":{"type":"../../bin/sh"}}`,
      `${json.slice(0, -1)},"__proto__":{"name":"PWNED"}}`,
      '['.repeat(DEEP),
      `{"a":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`,
      `{"name":"net","cniVersion":"1.1.0","prevResult":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`,
    ),
    anyText,
    fc.jsonValue().map((value) => JSON.stringify(value)),
  )

const casesOf = (bases: readonly Base[]): fc.Arbitrary<Case> =>
  fc.constantFrom(...bases).chain((base) =>
    fc.record({
      base: fc.constant(base),
      verb: fc.constantFrom(...VERBS),
      stdin: oddSpellings(JSON.stringify(base.conf)),
    }),
  )

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const tryCase = (ground: Ground, { base, verb, stdin }: Case): readonly Violation[] => {
  const env = ground.env(verb, { CNI_IFNAME: base.ifName })
  const [digest, links] = [ground.digest(), ground.links()]
  const output = ground.run(base.plugin, env, stdin)
  const code = codeOf(output)
  const problems = [...protocolProblems(output)]
  if (verb !== 'VERSION' && !isJson(stdin) && code !== 6) problems.push(`code ${code} for what is no JSON`)
  if ([1, 4, 6, 7].includes(code) && verb !== 'GC' && ground.digest() !== digest)
    problems.push(`code ${code}, but something was changed`)
  if (verb === 'ADD' && output.status === 0) ground.run(base.plugin, { ...env, CNI_COMMAND: 'DEL' }, stdin)
  problems.push(...ground.movedLinks(links))
  return problems.map((what) => ({ where: `${base.plugin} ${verb} stdin`, what, input: quote(stdin) }))
}

/** Tries `cases` texts made from `seed`. */
export const fuzzStdin = (ground: Ground, cases: number, seed: number): readonly Violation[] => {
  const bases = basesIn(ground.folder, ground.podPath).filter(({ lacking }) => !lacking)
  return fc.sample(casesOf(bases), { numRuns: cases, seed }).flatMap((one) => tryCase(ground, one))
}
