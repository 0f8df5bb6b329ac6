/** `npm run demo`: everything it shows holds, and the host is the same before and after, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { must } from '../support/command.ts'
import { waitFor } from '../support/probe.ts'

const ROOT = new URL('../..', import.meta.url).pathname

/** What the demo would change if it touched the host. */
const host = () => ({
  links: must(['ip', '-o', 'link']).replaceAll(/qlen \d+/g, ''),
  addresses: must(['ip', '-o', 'addr']),
  routes: must(['ip', 'route']) + must(['ip', '-6', 'route']),
  nft: must(['nft', 'list', 'ruleset']),
  mounts: readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => !line.includes('/pw-')),
  folders: ['/var/lib/cni', '/etc/cni', '/opt/cni', '/run/cni', '/run/cni-bin', '/run/cluster', '/run/flannel'].filter(
    (path) => existsSync(path),
  ),
  namespaces: ['internet', 'web', 'client', 'slow', 'crashed', 'wire', 'node1', 'pod1'].filter((name) =>
    existsSync(`/run/netns/${name}`),
  ),
})

/** In the environment of every process of the demos of this test, and of no other's. */
const MARK = `PODWIRE_DEMO_TEST=${process.pid}`

const environmentOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8')
  } catch {
    return '' // it ended meanwhile
  }
}

/** Numbers of processes that belong to a demo of this test. */
const demoProcesses = (): readonly string[] =>
  readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(MARK))

interface Demo {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

const start = (): Demo => {
  const child = spawn(process.execPath, ['--import', 'tsx', `${ROOT}bin/demo.ts`], {
    cwd: ROOT,
    env: { ...process.env, [MARK.split('=')[0] ?? '']: String(process.pid) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const collect = (data: Buffer): void => {
    output += data.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return { child, output: () => output, ended: new Promise((resolve) => child.on('close', resolve)) }
}

/** Resolves when the demo has printed `text`, or has ended. */
const until = async ({ child, output }: Demo, text: string): Promise<void> => {
  while (!output().includes(text) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 10))
}

describe('the demo', () => {
  test('shows what it says, in a table, and leaves the host alone', async () => {
    const before = host()
    const demo = start()
    const status = await demo.ended
    expect({ status, output: demo.output() }).toMatchObject({ status: 0, output: expect.not.stringContaining('✗') })
    expect(demo.output()).toMatch(/^WHAT +MEASURED +EXPECTED +HOLDS$/m)
    expect(demo.output().match(/ yes$/gm)?.length).toBeGreaterThan(21)
    expect(demo.output()).toMatch(/^POD +ADD bridge .* ADD in all +DEL in all$/m)
    expect(demo.output()).toMatch(/^EVENT +MEASURED +EXPECTED +TOOK +LOST +HOLDS$/m)
    expect(demo.output()).toMatch(/^pods of all nodes reach each other +6 of 6 pairs.* yes$/m)
    expect(demo.output()).toMatch(/^node3 leaves while the agent of node1 is down +3 entries gone.* yes$/m)
    expect(host()).toEqual(before)
    expect(demoProcesses()).toEqual([])
  })

  test.each([
    ['SIGINT', 'attach "web"', 130],
    ['SIGTERM', 'slow reads from web', 143],
    ['SIGHUP', 'detach "web"', 129],
    ['SIGKILL', 'attach "client"', null],
    ['SIGTERM', 'start podwire agent on each', 143],
  ] as const)('leaves the host alone when %s ends it after "%s"', async (signal, text, status) => {
    const before = host()
    const demo = start()
    await until(demo, `✓ ${text}`)
    demo.child.kill(signal)
    expect(await demo.ended).toBe(status)
    expect(demo.output()).not.toContain('EVENT ')
    expect(waitFor(() => demoProcesses().length === 0)).toBe(true)
    expect(host()).toEqual(before)
  })
})
