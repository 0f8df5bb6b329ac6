/** Every example of the README, of docs/ and of conf/net.d is run. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { blocksOf, mismatch, readDocument, sessionOf } from './document.ts'
import { runOnMachine } from './sandbox.ts'

const ROOT = new URL('../..', import.meta.url).pathname

const pages: readonly string[] = [
  ...['README.md', 'CHANGELOG.md'].filter((path) => existsSync(`${ROOT}${path}`)),
  ...readdirSync(`${ROOT}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

const conflists: readonly (readonly [string, string])[] = readdirSync(`${ROOT}conf/net.d`)
  .filter((name) => name.endsWith('.conflist'))
  .map((name) => [`conf/net.d/${name}`, readFileSync(`${ROOT}conf/net.d/${name}`, 'utf8')])

interface Example {
  readonly plugins?: unknown
  readonly name?: string
}

const parse = (text: string, where: string): Example => {
  try {
    return JSON.parse(text) as Example
  } catch (error) {
    throw new Error(`${where}: ${error}`)
  }
}

const jsonExamples = (wanted: string): readonly (readonly [string, string])[] =>
  pages.flatMap((page) =>
    blocksOf(readDocument(`${ROOT}${page}`))
      .filter(({ info }) => info === wanted)
      .map(({ text, line }) => [`${page}:${line}`, text] as const),
  )

/** Sends `text` to a file of /etc/cni/net.d. */
const configure = (text: string): string =>
  `mkdir -p /etc/cni/net.d && cat > /etc/cni/net.d/10.conflist <<'END'\n${text}\nEND`

const expectAllDone = (commands: readonly string[]): void => {
  const failed = runOnMachine(commands).filter(({ status }) => status !== 0)
  expect(failed).toEqual([])
}

describe('configuration lists of the documentation attach, hold and detach', () => {
  test.each([
    ...conflists,
    ...jsonExamples('json').filter(([where, text]) => parse(text, where).plugins !== undefined),
  ])('%s', (where, text) => {
    const { name } = parse(text, where)
    const caps =
      '{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}],"bandwidth":{"ingressRate":1000000,"ingressBurst":100000,"egressRate":1000000,"egressBurst":100000}}'
    expectAllDone([
      'dist/podwire install',
      configure(text),
      `dist/podwire run status ${name}`,
      `ip netns add web && dist/podwire run add ${name} /run/netns/web --cap-args '${caps}'`,
      `dist/podwire run check ${name} /run/netns/web`,
      `ip netns add two && dist/podwire run add ${name} /run/netns/two && dist/podwire run check ${name} /run/netns/two`,
      `dist/podwire run del ${name} /run/netns/web && dist/podwire run del ${name} /run/netns/two`,
      `dist/podwire gc ${name} --from netns --grace 0`,
      'test -z "$(ls /var/lib/cni/results)"',
    ])
  })

  test.each(jsonExamples('json planned'))('%s can be planned', (where, text) => {
    expectAllDone([configure(text), `dist/podwire plan ${parse(text, where).name}`])
  })

  test.each(jsonExamples('json'))('%s is JSON', (where, text) => {
    expect(parse(text, where)).toBeTypeOf('object')
  })
})

describe('sessions of the documentation show what happens', () => {
  const shown = pages.filter((page) => blocksOf(readDocument(`${ROOT}${page}`)).some(({ info }) => info === 'console'))
  test.each(shown)('%s', (page) => {
    const blocks = blocksOf(readDocument(`${ROOT}${page}`)).filter(({ info }) => info === 'console')
    const session = blocks.flatMap(({ text }) => sessionOf(text))
    const ran = runOnMachine(session.map(({ command }) => command))
    const wrong = session.flatMap(({ command, output }, i) => {
      const { output: real = [], status = -1 } = ran[i] ?? {}
      const line = mismatch(output, real)
      const shouldFail = output.some((text) => text.startsWith('podwire: '))
      return line === undefined && (status !== 0) === shouldFail ? [] : [{ command, status, shown: line, real }]
    })
    expect(wrong).toEqual([])
  })
})

test('the command of conf/systemd does what it says', () => {
  const unit = readFileSync(`${ROOT}conf/systemd/podwire-gc.service`, 'utf8')
  const command = /^ExecStart=(.+)$/m.exec(unit)?.[1] ?? ''
  expectAllDone([
    'dist/podwire install',
    'mkdir -p /etc/cni/net.d && cp conf/net.d/10-podwire.conflist /etc/cni/net.d/',
    'ip netns add lost && podwire run add podwire /run/netns/lost && ip netns del lost && sleep 0.5',
    'test "$(ls /var/lib/cni/results | wc -l)" = 1',
    command,
    'test -z "$(ls /var/lib/cni/results)"',
  ])
})

describe('links of the documentation lead somewhere', () => {
  const links = pages.flatMap((page) =>
    [...readDocument(`${ROOT}${page}`).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(
      ({ 1: to = '' }) => [page, to] as const,
    ),
  )
  test.each(links)('%s -> %s', (page, to) => {
    expect(existsSync(join(ROOT, dirname(page), to))).toBe(true)
  })
})
