/** What links of plugin types lead to: a program that becomes podwire, with an environment of its own making. */
import { chmodSync, copyFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { must, run } from '../support/command.ts'
import { makeNetns, pathOf } from '../support/netns.ts'

const DIST = `${import.meta.dirname}/../../dist`

/** A folder with the launcher, a link `bridge` to it, and as `podwire` a script that says how it was called. */
const makeTalkative = (): string => {
  const folder = makeFolder('launcher')
  copyFileSync(`${DIST}/podwire-plugin`, `${folder}/podwire-plugin`)
  symlinkSync('podwire-plugin', `${folder}/bridge`)
  writeFileSync(`${folder}/podwire`, '#!/bin/bash\ncat /proc/$$/environ | tr "\\0" "\\n"; echo "$@"; cat\n')
  chmodSync(`${folder}/podwire`, 0o755)
  return folder
}

const ENGINE = ['BUN_JSC_useJIT=0', 'BUN_FEATURE_FLAG_DISABLE_STANDALONE_MADVISE=1']

test('passes environment, arguments and stdin on', () => {
  const env = { CNI_COMMAND: 'ADD', EMPTY: '', B: '1', LONG: 'x'.repeat(100_000) }
  const lines = must([`${makeTalkative()}/bridge`, 'a', 'b c'], { env, input: 'stdin' }).split('\n')
  expect(lines).toEqual([...ENGINE, ...Object.entries(env).map(([k, v]) => `${k}=${v}`), 'a b c', 'stdin'])
})

test('drops what the environment says to the engine', () => {
  const env = { BUN_BE_BUN: '1', BUN_OPTIONS: '--inspect', BUN_JSC_useJIT: '1', BUNK: 'kept' }
  expect(must([`${makeTalkative()}/bridge`], { env })).toBe([...ENGINE, 'BUNK=kept', ''].join('\n'))
})

test('is told apart by its name, however it is reached', () => {
  const folder = makeFolder('launcher')
  must([`${DIST}/podwire`, 'install', '--bin-dir', folder])
  symlinkSync(`${folder}/bridge`, `${folder}/elsewhere`)
  const env = { CNI_COMMAND: 'VERSION', BUN_BE_BUN: '1' }
  expect(must([`${folder}/bridge`], { env: { ...env, CNI_COMMAND: '' } })).toBe('')
  expect(run([`${folder}/ptp`], { env: {} }).stderr).toContain('podwire ptp:')
  expect(must(['bash', '-c', `exec -a portmap ${folder}/elsewhere`], { env })).toContain('supportedVersions')
})

test('says in the words of the protocol that podwire is missing', () => {
  const folder = makeFolder('launcher')
  copyFileSync(`${DIST}/podwire-plugin`, `${folder}/bridge`)
  const { status, stdout } = run([`${folder}/bridge`], { env: { CNI_COMMAND: 'ADD' } })
  expect(status).toBe(1)
  expect(JSON.parse(stdout)).toEqual({
    cniVersion: '1.0.0',
    code: 5,
    msg: `cannot run ${folder}/podwire: errno 2`,
    details: expect.stringContaining('podwire install'),
  })
})

test('leads to delegates in the same process', () => {
  const folder = makeFolder('launcher')
  must([`${DIST}/podwire`, 'install', '--bin-dir', folder])
  const [node, pod] = [makeNetns('launcher-node'), makeNetns('launcher-pod')]
  const ipam = { type: 'host-local', subnet: '10.77.0.0/24', dataDir: `${folder}/ipam` }
  const input = JSON.stringify({ cniVersion: '1.0.0', name: 'net', type: 'bridge', bridge: 'br9', ipam })
  const trace = `${folder}/trace`
  const env = {
    ...{ PATH: process.env['PATH'] ?? '', CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c', CNI_IFNAME: 'eth0' },
    ...{ CNI_NETNS: pathOf(pod), CNI_PATH: folder },
  }
  const strace = ['strace', '-f', '-qq', '-o', trace, '-e', 'trace=execve']
  must(['nsenter', `--net=${pathOf(node)}`, ...strace, `${folder}/bridge`], { env, input })
  const programs = must(['grep', '-o', 'execve("[^"]*"', trace]).split('\n')
  expect(programs).toEqual([`execve("${folder}/bridge"`, `execve("${folder}/podwire"`])
})
