/** What the README says podwire does and the reference's plugins do not, shown with both in the same places. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { must, type Output } from '../support/command.ts'
import { makeNetns, pathOf, runIn } from '../support/netns.ts'
import { binDir, callPlugin, REFERENCE } from '../support/plugin.ts'

const PODWIRE = `${import.meta.dirname}/../../dist/podwire`

interface Bed {
  readonly bin: string
  readonly node: string
  readonly folder: string
  readonly run: (verb: string, netns: string, id: string) => Output
}

const bridge = (folder: string, subnet = '10.174.0.0/24') => ({
  ...{ cniVersion: '1.0.0', name: 'pods', type: 'bridge', bridge: 'br0', isGateway: true, ipMasq: true },
  ipam: { type: 'host-local', dataDir: `${folder}/store`, ranges: [[{ subnet }]] },
})

const CAPS = '{"portMappings":[{"hostPort":8080,"containerPort":80,"protocol":"tcp"}]}'

const makeBed = (bin: string): Bed => {
  const folder = makeFolder('claims')
  const node = makeNetns('node')
  mkdirSync(`${folder}/net.d`)
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  const list = { cniVersion: '1.0.0', name: 'pods', plugins: [bridge(folder), portmap] }
  writeFileSync(`${folder}/net.d/pods.conflist`, JSON.stringify(list))
  const env = { PATH: process.env.PATH ?? '', NETCONFPATH: `${folder}/net.d`, CNI_PATH: bin, CAP_ARGS: CAPS }
  const run: Bed['run'] = (verb, netns, id) =>
    runIn(node, [PODWIRE, 'run', verb, 'pods', netns, '--container-id', id, '--cache-dir', `${folder}/cache`], { env })
  return { bin, node, folder, run }
}

/** Rules and elements that name the address or the container of a pod. */
const rulesOf = ({ node }: Bed, pod: string): readonly string[] => {
  const rules = ['iptables-save', 'nft list ruleset'].map((command) => runIn(node, command.split(' ')).stdout)
  return rules
    .join('\n')
    .split('\n')
    .filter((line) => line.includes(pod))
}

/** Programs that one ADD of bridge and host-local runs, besides the plugin itself. */
const programsOf = ({ bin, node, folder }: Bed): readonly string[] => {
  const trace = `${folder}/trace`
  const wrap = ['strace', '-f', '-qq', '-e', 'trace=execve', '-o', trace]
  const netns = makeNetns('traced')
  callPlugin({ bin, node, netns, verb: 'ADD', containerID: 'traced', ifName: 'eth0', conf: bridge(folder), wrap })
  // a call that another thread interrupts is written in two lines, of which the first has no result yet
  const calls = readFileSync(trace, 'utf8').matchAll(/execve\("([^"]+)".*(?: = 0|<unfinished \.\.\.>)$/gm)
  const started = [...calls].map(({ 1: path = '' }) => path)
  // a launcher becomes podwire: the same process
  return started.slice(1).filter((path) => !path.endsWith('/podwire'))
}

describe('a pod whose namespace and result are gone', () => {
  const left = (bin: string) => {
    const bed = makeBed(bin)
    const pod = makeNetns('lost')
    expect(bed.run('add', pathOf(pod), 'lost').status).toBe(0)
    must(['ip', 'netns', 'del', pod])
    must(['rm', '-r', `${bed.folder}/cache`])
    expect(bed.run('del', pathOf(pod), 'lost').status).toBe(0)
    return rulesOf(bed, '10.174.0.2')
  }
  test('leaves nothing after DEL of podwire', () => expect(left(binDir())).toEqual([]))
  test('leaves masquerade rules after DEL of the reference', () => expect(left(REFERENCE).join()).toContain('-j CNI-'))
})

describe('a host port that is asked for twice', () => {
  const second = (bin: string): Output => {
    const bed = makeBed(bin)
    expect(bed.run('add', pathOf(makeNetns('one')), 'one').status).toBe(0)
    return bed.run('add', pathOf(makeNetns('two')), 'two')
  }
  test('is refused by podwire, which names its holder', () => {
    expect(second(binDir())).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is held by pods/one/eth0 (code 103)'),
    })
  })
  test('is given twice by the reference', () => expect(second(REFERENCE).status).toBe(0))
})

describe('a pool without a free address', () => {
  const status = (bin: string) => {
    const { node, folder } = makeBed(bin)
    const conf = { ...bridge(folder, '10.174.1.0/30'), cniVersion: '1.1.0' }
    const add = { bin, node, verb: 'ADD', containerID: 'only', ifName: 'eth0', netns: makeNetns('only') }
    callPlugin({ ...add, conf: { ...conf, cniVersion: '1.0.0' } })
    return callPlugin({ bin, node, verb: 'STATUS', conf })
  }
  test('is what STATUS of podwire says', () => {
    expect(status(binDir())).toMatchObject({
      status: 1,
      json: { code: 50, msg: expect.stringContaining('no address is free') },
    })
  })
  test('is not asked of the reference, which knows no STATUS', () => {
    expect(status(REFERENCE)).toMatchObject({ status: 1, json: { msg: expect.not.stringContaining('address') } })
  })
})

describe('the programs that one ADD with ipMasq runs', () => {
  test('are none with podwire', () => expect(programsOf(makeBed(binDir()))).toEqual([]))
  test('are host-local and iptables six times with the reference', () => {
    const programs = programsOf(makeBed(REFERENCE)).map((path) => path.slice(path.lastIndexOf('/') + 1))
    expect(programs.filter((name) => name === 'host-local')).toHaveLength(1)
    expect(programs.filter((name) => name === 'iptables').length).toBeGreaterThan(4)
  })
})
