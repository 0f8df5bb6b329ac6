/** `podwire gc`: what is in use stays, what lost pods left goes; with the reference plugins, which know no GC, by DEL alone,
 *  and with podwire's by both. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { must, type Output } from '../support/command.ts'
import { ipJson, makeNetns, pathOf, runIn } from '../support/netns.ts'
import { binDir, REFERENCE } from '../support/plugin.ts'
import { waitFor } from '../support/probe.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

interface Bed {
  readonly node: string
  /** First three numbers of its pods' addresses: no two beds share them, since all their namespaces are on one machine. */
  readonly subnet: string
  readonly folder: string
  readonly podwire: (...args: readonly string[]) => Output
}

type Place = Pick<Bed, 'folder' | 'subnet'>

const listOf = ({ folder, subnet }: Place, name: string, more: object = {}) => ({
  cniVersion: '1.0.0',
  name,
  plugins: [
    {
      ...{ type: 'bridge', bridge: 'br0', isDefaultGateway: true },
      ipam: { type: 'host-local', dataDir: `${folder}/store`, ranges: [[{ subnet: `${subnet}.0/24` }]] },
    },
    { type: 'tuning', mtu: 1400, dataDir: `${folder}/tuning` },
  ],
  ...more,
})

const configure = (place: Place, name: string, more: object = {}): void =>
  writeFileSync(`${place.folder}/net.d/${name}.conflist`, JSON.stringify(listOf(place, name, more)))

let beds = 0

const makeBed = (bin: string, more: object = {}): Bed => {
  beds += 1
  const subnet = `10.173.${beds}`
  const folder = makeFolder('gc')
  const node = makeNetns('node')
  mkdirSync(`${folder}/net.d`)
  configure({ folder, subnet }, 'pods', more)
  const env = { PATH: process.env.PATH ?? '', NETCONFPATH: `${folder}/net.d`, CNI_PATH: bin }
  const podwire: Bed['podwire'] = (...args) =>
    runIn(node, [PODWIRE, ...args, '--cache-dir', `${folder}/cache`], { env })
  return { node, subnet, folder, podwire }
}

/** Attaches a new namespace and makes its reservation an hour old. Returns the namespace's name. */
const attach = (bed: Bed, id: string, network = 'pods'): string => {
  const pod = makeNetns(id)
  const { status, stderr } = bed.podwire('run', 'add', network, pathOf(pod), '--container-id', id)
  if (status !== 0) throw new Error(stderr)
  age(bed)
  return pod
}

const store = ({ folder }: Bed, network = 'pods'): string => `${folder}/store/${network}`
const reservations = (bed: Bed, network = 'pods'): readonly string[] =>
  existsSync(store(bed, network)) ? readdirSync(store(bed, network)).filter((name) => name.startsWith('10.')) : []

const HOUR = 3600
const age = (bed: Bed): void => {
  const then = Date.now() / 1000 - HOUR
  for (const name of reservations(bed)) utimesSync(`${store(bed)}/${name}`, then, then)
}

/** Ends a pod without DEL: its namespace and all that lives there goes. */
const lose = (bed: Bed, pod: string): void => {
  const before = ports(bed)
  must(['ip', 'netns', 'del', pod])
  waitFor(() => ports(bed) < before)
}

const ports = ({ node }: Bed): number => ipJson(node, 'link', 'show', 'type', 'veth').length
const cached = ({ folder }: Bed): readonly string[] => readdirSync(`${folder}/cache/results`).sort()
const uncache = ({ folder }: Bed, id: string): void => rmSync(`${folder}/cache/results/pods-${id}-eth0`)

interface Attachment {
  readonly containerID: string
  readonly state: string
  readonly remove: boolean
}
interface Report {
  readonly networks: readonly {
    readonly network: string
    readonly attachments: readonly Attachment[]
    readonly asked: readonly string[]
    readonly unaware: readonly string[]
    readonly failures: readonly { readonly msg: string }[]
  }[]
}
/** @throws Error with what went wrong, if anything did */
const reportOf = ({ status, stdout, stderr }: Output): Report => {
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Report
}
const statesOf = (output: Output, network = 'pods'): Record<string, string> =>
  Object.fromEntries(
    reportOf(output)
      .networks.filter((report) => report.network === network)
      .flatMap(({ attachments }) =>
        attachments.map(({ containerID, state }): [string, string] => [containerID, state]),
      ),
  )

const BINS: readonly (readonly [name: string, bin: () => string, knowsGc: boolean])[] = [
  ['the reference plugins', () => REFERENCE, false],
  ['podwire', binDir, true],
]

describe.each(BINS)('podwire gc with %s', (_, bin, knowsGc) => {
  test('removes what a lost pod left and keeps a live one', () => {
    const bed = makeBed(bin())
    const [live, lost] = [attach(bed, 'live'), attach(bed, 'lost')]
    lose(bed, lost)
    const dry = bed.podwire('gc', '--dry-run', '--json')
    expect(statesOf(dry)).toEqual({ live: 'live', lost: 'stale' })
    expect([cached(bed).length, reservations(bed).length]).toEqual([2, 2])
    const done = bed.podwire('gc', '--json')
    expect(done).toMatchObject({ status: 0, stderr: '' })
    expect(reportOf(done).networks[0]).toMatchObject(
      knowsGc ? { asked: ['bridge', 'tuning'], unaware: [] } : { asked: [], unaware: ['bridge', 'tuning'] },
    )
    expect(cached(bed)).toEqual(['pods-live-eth0'])
    expect(reservations(bed)).toEqual([`${bed.subnet}.2`])
    expect(bed.podwire('run', 'check', 'pods', pathOf(live), '--container-id', 'live')).toMatchObject({ status: 0 })
    expect(statesOf(bed.podwire('gc', '--json'))).toEqual({ live: 'live' })
  })

  test('finds a lost pod by its reservation when the cache does not have it', () => {
    const bed = makeBed(bin())
    attach(bed, 'live')
    lose(bed, attach(bed, 'lost'))
    uncache(bed, 'lost')
    expect(statesOf(bed.podwire('gc', '--json'))).toEqual({ live: 'live', lost: 'stale' })
    expect(reservations(bed)).toEqual([`${bed.subnet}.2`])
  })

  test('keeps a pod that lives though the cache does not have it, unless it is forced', () => {
    const bed = makeBed(bin())
    const [, unlisted] = [attach(bed, 'listed'), attach(bed, 'unlisted')]
    uncache(bed, 'unlisted')
    expect(statesOf(bed.podwire('gc', '--json'))).toEqual({ listed: 'live', unlisted: 'unlisted' })
    expect(reservations(bed)).toHaveLength(2)
    expect(ipJson(unlisted, 'link').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0'])
    expect(bed.podwire('gc', '--force').status).toBe(0)
    expect(reservations(bed)).toEqual([`${bed.subnet}.2`])
  })

  test('refuses to believe an empty cache, and goes by living namespaces instead when told to', () => {
    const bed = makeBed(bin())
    attach(bed, 'live')
    lose(bed, attach(bed, 'lost'))
    rmSync(`${bed.folder}/cache`, { recursive: true })
    const refused = bed.podwire('gc')
    expect({ status: refused.status, stderr: refused.stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/results is empty, but network pods has 2 attachments.*--from netns/s),
    })
    expect(reservations(bed)).toHaveLength(2)
    expect(statesOf(bed.podwire('gc', '--from', 'netns', '--json'))).toEqual({ live: 'live', lost: 'stale' })
    expect(reservations(bed)).toEqual([`${bed.subnet}.2`])
  })

  test('takes a reservation without anything else for an ADD that still runs, for a while', () => {
    const bed = makeBed(bin())
    attach(bed, 'live')
    lose(bed, attach(bed, 'lost'))
    uncache(bed, 'lost')
    const now = Date.now() / 1000
    for (const name of reservations(bed)) utimesSync(`${store(bed)}/${name}`, now, now)
    expect(statesOf(bed.podwire('gc', '--json'))).toEqual({ live: 'live', lost: 'new' })
    expect(reservations(bed)).toHaveLength(2)
    expect(statesOf(bed.podwire('gc', '--grace', '0', '--json'))).toEqual({ live: 'live', lost: 'stale' })
    expect(reservations(bed)).toEqual([`${bed.subnet}.2`])
  })

  test('works on the networks that are named, and on networks that are only cached any more', () => {
    const bed = makeBed(bin())
    configure(bed, 'other')
    lose(bed, attach(bed, 'one'))
    lose(bed, attach(bed, 'two', 'other'))
    expect(bed.podwire('gc', 'pods').status).toBe(0)
    expect(cached(bed)).toEqual(['other-two-eth0'])
    rmSync(`${bed.folder}/net.d/other.conflist`)
    const report = reportOf(bed.podwire('gc', '--json'))
    expect(report.networks.map(({ network }) => network)).toEqual(['pods', 'other'])
    expect(cached(bed)).toEqual([])
    expect(reservations(bed, 'other')).toEqual([])
  })

  test('removes nothing on a network with disableGC', () => {
    const bed = makeBed(bin(), { disableGC: true })
    lose(bed, attach(bed, 'lost'))
    expect(bed.podwire('gc')).toMatchObject({ status: 0, stdout: expect.stringContaining('"disableGC": true') })
    expect(reservations(bed)).toHaveLength(1)
  })
})

test('podwire gc takes nothing that outlives a pod for a sign of life', () => {
  const rates = { ingressRate: 1_000_000, ingressBurst: 100_000, egressRate: 1_000_000, egressBurst: 100_000 }
  const bed = makeBed(binDir())
  const { plugins } = listOf(bed, 'pods')
  configure(bed, 'pods', { plugins: [...plugins, { type: 'bandwidth', ...rates }] })
  const pod = attach(bed, 'lost')
  const ifbs = (): number => ipJson(bed.node, 'link', 'show', 'type', 'ifb').length
  lose(bed, pod)
  expect(ifbs()).toBe(1)
  expect(statesOf(bed.podwire('gc', '--json'))).toEqual({ lost: 'stale' })
  expect([ifbs(), reservations(bed).length]).toEqual([0, 0])
})

test('podwire gc goes on when one plugin fails, and fails itself', () => {
  const bin = makeFolder('bin')
  for (const type of ['bridge', 'host-local', 'tuning']) must(['ln', '-s', `${REFERENCE}/${type}`, `${bin}/${type}`])
  const bed = makeBed(bin)
  lose(bed, attach(bed, 'lost'))
  rmSync(`${bin}/tuning`)
  writeFileSync(`${bin}/tuning`, '#!/bin/sh\necho \'{"code":5,"msg":"no disk"}\'; exit 1\n', { mode: 0o755 })
  const { status, stderr } = bed.podwire('gc')
  expect({ status, stderr }).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('podwire: tuning DEL: no disk'),
  })
  expect(cached(bed)).toHaveLength(1)
})

test('podwire gc refuses a network nobody knows', () => {
  const bed = makeBed(REFERENCE)
  expect(bed.podwire('gc', 'nope')).toMatchObject({ status: 1, stderr: expect.stringContaining('no network "nope"') })
})

test('podwire gc says so when there is no network', () => {
  const bed = makeBed(REFERENCE)
  rmSync(`${bed.folder}/net.d/pods.conflist`)
  expect(bed.podwire('gc')).toMatchObject({ status: 0, stdout: 'No network is configured or cached.\n' })
})

test('podwire gc never takes an attachment that is being made', { timeout: 120_000 }, () => {
  const bed = makeBed(binDir())
  const pods = Array.from({ length: 40 }, (_, i) => [`c${i}`, makeNetns(`race${i}`)] as const)
  // the grace is no help here: gc has to see what has begun, and hold off what has not
  const gc = `while [ ! -e ${bed.folder}/stop ]; do ${PODWIRE} gc --grace 0 --cache-dir ${bed.folder}/cache || exit 1; done`
  const add = pods.map(
    ([id, pod]) =>
      `${PODWIRE} run add pods ${pathOf(pod)} --container-id ${id} --cache-dir ${bed.folder}/cache >/dev/null || echo ${id} >> ${bed.folder}/failed`,
  )
  const script = `export NETCONFPATH=${bed.folder}/net.d CNI_PATH=${binDir()}
(${gc}) > ${bed.folder}/gc.log 2>&1 & collector=$!
${add.map((command) => `(${command}) & [ $(jobs | wc -l) -lt 6 ] || wait -n`).join('\n')}
for job in $(jobs -p); do [ $job = $collector ] || wait $job; done
touch ${bed.folder}/stop; wait $collector`
  const { status, stderr } = runIn(bed.node, ['bash', '-c', script], { timeout: 100_000 })
  const log = readFileSync(`${bed.folder}/gc.log`, 'utf8')
  expect({ status, stderr, log }).toEqual({ status: 0, stderr: '', log: expect.not.stringContaining('podwire:') })
  expect(existsSync(`${bed.folder}/failed`) ? readFileSync(`${bed.folder}/failed`, 'utf8') : '').toBe('')
  expect(log.match(/GC done by bridge/g)?.length).toBeGreaterThan(2)
  expect(reservations(bed)).toHaveLength(pods.length)
  const checks = pods.map(([id, pod]) => bed.podwire('run', 'check', 'pods', pathOf(pod), '--container-id', id))
  expect(checks.filter(({ status }) => status !== 0)).toEqual([])
})
