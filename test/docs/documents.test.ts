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

/** What a node with the plugin `flannel` has besides: an agent that has written its lease. */
const AGENT = [
  'mkdir -p /var/lib/podwire/overlay',
  `echo '{"Network": "10.244.0.0/16"}' > /var/lib/podwire/overlay/config.json`,
  'dist/podwire agent --once --ip-masq --log-level error',
]

const groundOf = ({ plugins }: Example): readonly string[] =>
  JSON.stringify(plugins).includes('"flannel"') ? AGENT : []

const expectAllDone = (commands: readonly string[]): void => {
  const failed = runOnMachine(commands).filter(({ status }) => status !== 0)
  expect(failed).toEqual([])
}

describe('configuration lists of the documentation attach, hold and detach', () => {
  test.each([
    ...conflists,
    ...jsonExamples('json').filter(([where, text]) => parse(text, where).plugins !== undefined),
  ])('%s', (where, text) => {
    const example = parse(text, where)
    const { name } = example
    const caps =
      '{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}],"bandwidth":{"ingressRate":1000000,"ingressBurst":100000,"egressRate":1000000,"egressBurst":100000}}'
    expectAllDone([
      'dist/podwire install',
      ...groundOf(example),
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

const unitsIn = (folder: string): readonly string[] => readdirSync(`${ROOT}${folder}`)

test('the units of conf/systemd are ones to systemd', () => {
  const units = unitsIn('conf/systemd').map((name) => `conf/systemd/${name}`)
  expect(units.length).toBeGreaterThan(4)
  // verify wants to find the command
  expectAllDone([
    'dist/podwire install',
    `test -z "$(systemd-analyze verify --recursive-errors=no ${units.join(' ')} 2>&1)"`,
  ])
})

test('podwire-overlay.service brings in a peer whose lease came after the last ADD', () => {
  const unit = readFileSync(`${ROOT}conf/systemd/podwire-overlay.service`, 'utf8')
  const command = /^ExecStart=(.+)$/m.exec(unit)?.[1] ?? ''
  const lease = '{"PublicIP":"192.0.2.1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"0e:00:00:00:00:01"}}'
  const path = /^PathChanged=(.+)$/m.exec(readFileSync(`${ROOT}conf/systemd/podwire-overlay.path`, 'utf8'))?.[1] ?? ''
  expectAllDone([
    'dist/podwire install',
    'mkdir -p /etc/cni/net.d && cp conf/net.d/30-vxlan.conflist /etc/cni/net.d/',
    'ip netns add web && podwire run add fleet /run/netns/web',
    `echo '${lease}' > ${path}/10.246.200.0-24.json`,
    'test -z "$(ip route show 10.246.200.0/24)"',
    command,
    'test -n "$(ip route show 10.246.200.0/24)"',
    'podwire run check fleet /run/netns/web',
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
