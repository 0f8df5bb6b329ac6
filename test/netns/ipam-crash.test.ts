/** `host-local` killed on its way into each system call that changes state, in turn: whatever is left is found and freed by
 *  the next DEL, GC or ADD. A process that dies on entering a call has not made it. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { addressesOf, makePool, ours, type Pool, type Request, theirs } from './ipam.bed.ts'

/** Calls that change a file system or a file. */
const CALLS = 'openat,linkat,unlinkat,renameat2,rename,mkdirat,pwrite64,write,ftruncate,utimensat'

const DUAL = { ranges: [[{ subnet: '10.1.0.0/28' }], [{ subnet: 'fd00::/120' }]] }

/** The n-th of the calls of one name: strace counts each name apart. */
interface Point {
  readonly name: string
  readonly nth: number
}

const strace = (log: string, point?: Point): readonly string[] => [
  ...['strace', '-qq', '-s', '200', '-o', log, '-e', `trace=${CALLS}`],
  ...(point === undefined ? [] : ['-e', `inject=${point.name}:signal=SIGKILL:when=${point.nth}`]),
]

const nameIn = (line: string): string => line.slice(0, line.indexOf('('))

/** The calls that change something below `dataDir`. */
const changesIn = (log: string, dataDir: string): readonly Point[] => {
  const lines = readFileSync(log, 'utf8').split('\n')
  const opened = lines.findIndex((line) => line.includes(dataDir))
  return lines.flatMap((line, i) => {
    const isRead = line.startsWith('openat') && !/O_CREAT|O_TRUNC/.test(line)
    if (i < opened || isRead || !line.includes('(') || line.startsWith('write(1')) return []
    const name = nameIn(line)
    return [{ name, nth: lines.slice(0, i + 1).filter((each) => nameIn(each) === name).length }]
  })
}

interface Scene {
  /** Brings a pool into the state before the call. */
  readonly before: (pool: Pool) => void
  readonly request: Request
}

const add = (pool: Pool, containerID: string, args = '') => pool.call(ours(), { verb: 'ADD', containerID, args })
const victim = { verb: 'ADD', containerID: 'victim' }
const GC = {
  verb: 'GC',
  containerID: '',
  conf: { cniVersion: '1.1.0', 'cni.dev/valid-attachments': [{ containerID: 'other', ifname: 'eth0' }] },
}

const scenes: Readonly<Record<string, Scene>> = {
  'the first ADD of all': { before: () => undefined, request: victim },
  'an ADD': { before: (pool) => add(pool, 'other'), request: victim },
  'an ADD after a change by the reference': {
    before: (pool) => {
      add(pool, 'other')
      pool.call(theirs(), { verb: 'ADD', containerID: 'stranger' })
    },
    request: victim,
  },
  'an ADD that asks for an address': {
    before: (pool) => add(pool, 'other'),
    request: { ...victim, args: 'IP=10.1.0.9' },
  },
  'a DEL': {
    before: (pool) => {
      add(pool, 'other')
      add(pool, 'victim')
    },
    request: { verb: 'DEL', containerID: 'victim' },
  },
  'a DEL after a change by the reference': {
    before: (pool) => {
      add(pool, 'other')
      add(pool, 'victim')
      pool.call(theirs(), { verb: 'DEL', containerID: 'nobody' })
      pool.call(theirs(), { verb: 'ADD', containerID: 'stranger' })
    },
    request: { verb: 'DEL', containerID: 'victim' },
  },
  'a GC': {
    before: (pool) => {
      for (const id of ['other', 'victim', 'stranger']) add(pool, id)
    },
    request: GC,
  },
}

/** Runs the scene, killed at `point`; without one, to its end. */
const play = ({ before, request }: Scene, point?: Point): { readonly pool: Pool; readonly log: string } => {
  const pool = makePool(DUAL)
  const log = `${makeFolder('strace')}/log`
  before(pool)
  pool.call(ours(), { ...request, wrap: strace(log, point) })
  return { pool, log }
}

const ownersIn = (pool: Pool): readonly string[] =>
  [...new Set(pool.reserved().map((name) => pool.files()[name] ?? ''))].map((key) => key.replace(/\r.*/s, '')).sort()

/** What the index's folder may hold for good. */
const strays = (pool: Pool): readonly string[] =>
  readdirSync(pool.index).filter((name) => name !== 'owners' && !name.startsWith('used-'))

/** Both implementations find every address the other has left free: the pool serves as many as it has. */
const expectConverged = (pool: Pool, kept: readonly string[]): void => {
  expect(ownersIn(pool)).toEqual(kept)
  const free = 13 - kept.length
  const given = [...Array(free).keys()].map((i) => add(pool, `new${i}`))
  expect(given.map(({ status }) => status)).toEqual(Array(free).fill(0))
  expect(new Set(given.flatMap(addressesOf)).size).toBe(2 * free)
  expect(add(pool, 'late').json?.code).toBe(101)
}

const isKilled = (log: string): boolean => readFileSync(log, 'utf8').includes('killed by SIGKILL')

test.each(Object.entries(scenes))(
  '%s, killed anywhere, leaves nothing that is never freed',
  (_, scene) => {
    const whole = play(scene)
    const points = changesIn(whole.log, whole.pool.dataDir)
    expect(points.length).toBeGreaterThan(3)
    for (const [i, point] of points.entries()) {
      const { pool, log } = play(scene, point)
      expect([point, isKilled(log)]).toEqual([point, true])
      // a reader, of either implementation, never meets a reservation without its owner
      for (const name of pool.reserved()) expect(pool.files()[name]).toMatch(/^[a-z0-9]+\r\neth0$/)
      const others = ownersIn(pool).filter((owner) => owner !== 'victim')
      // by turns: the runtime's DEL, the same by the reference, or a GC, which keeps `other` alone; a GC is done again
      const turn = scene.request === GC ? 2 : i % 3
      if (turn === 0) pool.call(ours(), { verb: 'DEL', containerID: 'victim' })
      else if (turn === 1) pool.call(theirs(), { verb: 'DEL', containerID: 'victim' })
      else pool.call(ours(), GC)
      expectConverged(pool, turn === 2 ? others.filter((owner) => owner === 'other') : others)
      expect(strays(pool)).toEqual([])
    }
  },
  300_000,
)

test('an ADD of the reference, killed anywhere, leaves nothing that podwire does not free', () => {
  const once = (point?: Point) => {
    const pool = makePool(DUAL)
    const log = `${makeFolder('strace')}/log`
    add(pool, 'other')
    const [program = '', ...options] = strace(log, point)
    pool.call(theirs(), { ...victim, wrap: [program, '-f', ...options] }) // Go's threads are counted apart
    return { pool, log }
  }
  const points = ['openat', 'write', 'unlinkat'].flatMap((name) =>
    [...Array(12).keys()].map((i) => ({ name, nth: i + 1 })),
  )
  const killed = points.filter((point) => {
    const { pool, log } = once(point)
    pool.call(ours(), { verb: 'DEL', containerID: 'victim' })
    expectConverged(pool, ['other'])
    return isKilled(log)
  })
  expect(killed.length).toBeGreaterThan(8)
}, 300_000)
