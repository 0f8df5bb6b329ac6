/** The executable as a program of root: what it takes from the folder it is run in, from its pipes, and without its addon. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { run, shell } from '../support/command.ts'
import { binDir } from '../support/plugin.ts'

let folder = ''
beforeEach(() => {
  folder = makeFolder('executable')
})

const plugin = (): string => `${binDir()}/loopback`
const env = {
  CNI_COMMAND: 'DEL',
  CNI_CONTAINERID: 'c1',
  CNI_IFNAME: 'lo',
  CNI_PATH: '/none',
  PATH: process.env.PATH ?? '',
}
const input = JSON.stringify({ cniVersion: '1.0.0', name: 'net', type: 'loopback' })

test('reads no .env, bunfig.toml, package.json or tsconfig.json of the folder it is run in', () => {
  writeFileSync(`${folder}/.env`, 'CNI_COMMAND=VERSION\nCNI_ARGS=nonsense\n')
  writeFileSync(`${folder}/evil.js`, `require('fs').writeFileSync('${folder}/ran', '')`)
  writeFileSync(`${folder}/bunfig.toml`, `preload = ["./evil.js"]\n`)
  writeFileSync(`${folder}/package.json`, `{"imports":{"#x":"./evil.js"},"main":"./evil.js"}`)
  writeFileSync(`${folder}/tsconfig.json`, `{"compilerOptions":{"paths":{"*":["./evil.js"]}}}`)
  const { CNI_COMMAND: _, ...rest } = env
  expect(run([plugin()], { cwd: folder, env, input })).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(run([plugin()], { cwd: folder, env: rest, input })).toMatchObject({
    status: 0,
    stderr: expect.stringContaining('podwire loopback'),
  })
  expect(run(['ls', folder]).stdout).not.toContain('ran')
})

test('is the plugin of its name: by a symbolic link, a hard link, a path, and after a rename', () => {
  const names = [`${folder}/loopback`, `${folder}/sub/loopback`]
  mkdirSync(`${folder}/sub`)
  copyFileSync(`${binDir()}/podwire`, `${folder}/podwire`)
  copyFileSync(`${binDir()}/podwire.node`, `${folder}/podwire.node`)
  copyFileSync(`${binDir()}/podwire.node`, `${folder}/sub/podwire.node`)
  symlinkSync('podwire', `${folder}/loopback`)
  linkSync(`${folder}/podwire`, `${folder}/sub/loopback`)
  for (const name of names) expect(run([name], { env, input })).toMatchObject({ status: 0, stderr: '' })
  expect(run(['./loopback'], { env, input, cwd: folder })).toMatchObject({ status: 0 })
  renameSync(`${folder}/loopback`, `${folder}/other`)
  expect(run([`${folder}/other`, '--version'], { env, input })).toMatchObject({ status: 0, stdout: /^\d/ })
})

test('says what to do when its addon is missing or no addon, for every verb', () => {
  copyFileSync(`${binDir()}/podwire`, `${folder}/loopback`)
  for (const text of [undefined, 'no addon']) {
    rmSync(`${folder}/podwire.node`, { force: true })
    if (text !== undefined) writeFileSync(`${folder}/podwire.node`, text)
    for (const verb of ['ADD', 'DEL', 'VERSION']) {
      const { status, stdout } = run([`${folder}/loopback`], { env: { ...env, CNI_COMMAND: verb }, input })
      expect(status).toBe(1)
      expect(JSON.parse(stdout)).toMatchObject({
        code: 5,
        msg: expect.stringContaining(`${folder}/podwire.node`),
        details: expect.stringContaining('podwire install'),
      })
    }
  }
})

test('reads stdin from pipes that do not block, in pieces, of any size', () => {
  const large = JSON.stringify({ ...JSON.parse(input), other: 'é'.repeat(300_000) })
  writeFileSync(`${folder}/conf`, large)
  const slow = `(head -c 100000 "$1"; sleep 0.2; tail -c +100001 "$1") | "$2"`
  const nonblocking = `python3 -c '
import os, sys
os.set_blocking(0, False)
os.execv(sys.argv[1], [sys.argv[1]])' "$2"`
  const script = `export CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_IFNAME=lo CNI_PATH=/none; ${slow}`
  expect(shell(script, `${folder}/conf`, plugin())).toBe('')
  expect(shell(script.replace('| "$2"', `| ${nonblocking}`), `${folder}/conf`, plugin())).toBe('')
})

test('an empty stdin, a closed one and a folder as stdin are typed errors', () => {
  const code = (redirection: string): number => {
    const script = `CNI_COMMAND=DEL CNI_CONTAINERID=c1 CNI_IFNAME=lo CNI_PATH=/none "$1" ${redirection} || true`
    return (JSON.parse(shell(script, plugin())) as { code: number }).code
  }
  expect(code('< /dev/null')).toBe(6)
  expect(code('< /')).toBe(5)
  expect([5, 6]).toContain(code('<&-'))
})

test('says on stderr that its answer cannot be written', () => {
  const { status, stderr } = run(['sh', '-c', 'CNI_COMMAND=VERSION "$0" < /dev/null > /dev/full', plugin()])
  expect(status).toBe(1)
  expect(JSON.parse(stderr)).toMatchObject({
    code: 5,
    msg: 'stdout cannot be written',
    details: expect.stringContaining('No space left on device'),
  })
})

test('is not stopped by arguments', () => {
  for (const args of [['--help'], ['-e', 'process.exit(7)'], ['run', 'x.js'], ['--inspect']])
    expect(run([plugin(), ...args], { env, input })).toEqual({ status: 0, stdout: '', stderr: '' })
})

test('leaves nothing in the temporary folder', () => {
  const TMPDIR = folder
  for (const verb of ['VERSION', 'DEL']) spawnSync(plugin(), { env: { ...env, TMPDIR, CNI_COMMAND: verb }, input })
  expect(run(['find', folder, '-mindepth', '1']).stdout).toBe('')
})
