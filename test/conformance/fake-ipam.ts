/** An IPAM plugin that does as it is told and writes down what it is given, byte for byte. It stands in a folder of its
 *  own, in front of the plugins' in CNI_PATH. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Trial, Verb } from './trial.ts'
import { resultIn } from './version.ts'

export interface FakeCall {
  readonly command: string
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

export interface FakeIpam {
  /** CNI_PATH that leads to it first. */
  readonly path: string
  /** The network's `ipam` section. */
  readonly ipam: { readonly type: 'fake-ipam'; readonly [key: string]: unknown }
  readonly answer: (verb: Verb, status: number, json: unknown) => void
  /** What it prints on stderr. */
  readonly noise: (text: string) => void
  /** Its calls, oldest first. */
  readonly calls: () => readonly FakeCall[]
}

const scriptIn = (folder: string): string => `#!/bin/sh
n=${folder}/$(date +%s%N)
env -0 > $n.env
cat > $n.stdin
cat ${folder}/noise >&2
cat ${folder}/answer.$CNI_COMMAND
exit $(cat ${folder}/status.$CNI_COMMAND)
`

const environmentIn = (file: string): Record<string, string> =>
  Object.fromEntries(
    readFileSync(file, 'utf8')
      .split('\0')
      .filter(Boolean)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )

const callIn = (file: string): FakeCall => {
  const env = environmentIn(file)
  const stdin = readFileSync(file.replace(/env$/, 'stdin'), 'utf8')
  return { command: env['CNI_COMMAND'] ?? '', env, stdin }
}

/** The address it hands out. */
export const FAKE_ADDRESS = '10.77.0.77/24'

export const makeFakeIpam = ({ bed, dir, version }: Trial): FakeIpam => {
  const [bin, records] = [`${bed.folder}/.fake/bin`, `${bed.folder}/.fake/calls`]
  for (const folder of [bin, records]) mkdirSync(folder, { recursive: true })
  writeFileSync(`${bin}/fake-ipam`, scriptIn(records))
  chmodSync(`${bin}/fake-ipam`, 0o755)
  const answer: FakeIpam['answer'] = (verb, status, json) => {
    writeFileSync(`${records}/answer.${verb}`, json === undefined ? '' : JSON.stringify(json))
    writeFileSync(`${records}/status.${verb}`, String(status))
  }
  const noise = (text: string): void => writeFileSync(`${records}/noise`, text)
  noise('')
  for (const verb of ['DEL', 'CHECK', 'GC', 'STATUS'] as const) answer(verb, 0, undefined)
  const ips = [{ address: FAKE_ADDRESS, gateway: '10.77.0.1' }]
  const { interfaces, ...result } = resultIn(version, { interfaces: [], ips, routes: [] })
  answer('ADD', 0, result)
  const calls = (): FakeCall[] =>
    readdirSync(records)
      .filter((name) => name.endsWith('.env'))
      .sort()
      .map((name) => callIn(`${records}/${name}`))
  return { path: `${bin}:${dir}`, ipam: { type: 'fake-ipam' }, answer, noise, calls }
}
