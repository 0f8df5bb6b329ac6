/** `podwire install` and `uninstall` on folders of executables: what lands there works, and nobody who calls a plugin
 *  meanwhile sees anything but the old one or the new one. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { describe, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { must, run } from '../support/command.ts'
import { pluginTypes } from '../support/plugin.ts'

const DIST = `${import.meta.dirname}/../../dist`
const PODWIRE = `${DIST}/podwire`
const types = pluginTypes()

const install = (folder: string, ...more: readonly string[]) => run([PODWIRE, 'install', '--bin-dir', folder, ...more])
const uninstall = (folder: string) => run([PODWIRE, 'uninstall', '--bin-dir', folder])

const versionOf = (program: string): unknown =>
  JSON.parse(must([program], { env: { CNI_COMMAND: 'VERSION' }, input: '{"cniVersion":"1.1.0"}' }))

/** A plugin of somebody else. */
const putForeign = (path: string, says: string): void => {
  writeFileSync(path, `#!/bin/sh\necho '${says}'\n`)
  chmodSync(path, 0o755)
}

describe('podwire install', () => {
  test('makes a folder that did not exist usable as CNI_PATH', () => {
    const folder = `${makeFolder('install')}/opt/cni/bin`
    expect(install(folder)).toMatchObject({ status: 0, stderr: '' })
    expect(readdirSync(folder).sort()).toEqual(['podwire', 'podwire-plugin', 'podwire.node', ...types].sort())
    for (const type of types) {
      expect(readlinkSync(`${folder}/${type}`)).toBe('podwire-plugin')
      expect(versionOf(`${folder}/${type}`)).toMatchObject({ supportedVersions: expect.arrayContaining(['1.0.0']) })
    }
    expect(JSON.parse(must([`${folder}/podwire`, 'version', '--json']))).toMatchObject({ addon: 'ok', plugins: types })
  })

  test('is the same when it is repeated, also from the folder itself', () => {
    const folder = makeFolder('install')
    install(folder)
    const before = statSync(`${folder}/podwire`).ino
    const again = run([`${folder}/podwire`, 'install', '--bin-dir', folder, '--json'])
    expect(again.status).toBe(0)
    expect((JSON.parse(again.stdout) as { action: string }[]).map(({ action }) => action)).toEqual(
      ['podwire.node', 'podwire', 'podwire-plugin', ...types].map(() => 'is there'),
    )
    expect(statSync(`${folder}/podwire`).ino).toBe(before)
  })

  test('says what it would do with --dry-run, and does nothing', () => {
    const folder = `${makeFolder('install')}/none`
    const { status, stdout } = install(folder, '--dry-run')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^podwire {2,}installed/m)
    expect(stdout).toContain('Nothing was changed')
    expect(existsSync(folder)).toBe(false)
  })

  test('keeps what it replaces, leaves alone what it does not have, and uninstall puts everything back', () => {
    const folder = makeFolder('install')
    putForeign(`${folder}/bridge`, 'reference bridge')
    putForeign(`${folder}/macvlan`, 'macvlan')
    putForeign(`${folder}/ptp-target`, 'linked')
    symlinkSync('ptp-target', `${folder}/ptp`)
    const { stdout } = install(folder)
    expect(stdout).toMatch(/^bridge +replaced +the other one is kept$/m)
    expect(stdout).toMatch(/^macvlan +left alone/m)
    expect(versionOf(`${folder}/bridge`)).toMatchObject({ cniVersion: '1.1.0' })
    expect(must([`${folder}/macvlan`])).toBe('macvlan')
    expect(uninstall(folder).status).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(['bridge', 'macvlan', 'ptp', 'ptp-target'])
    expect(must([`${folder}/bridge`])).toBe('reference bridge')
    expect(readlinkSync(`${folder}/ptp`)).toBe('ptp-target')
  })

  test('keeps the newest foreign plugin when a package has put one over a link', () => {
    const folder = makeFolder('install')
    putForeign(`${folder}/bridge`, 'old')
    install(folder)
    rmSync(`${folder}/bridge`)
    putForeign(`${folder}/bridge`, 'new')
    install(folder)
    uninstall(folder)
    expect(must([`${folder}/bridge`])).toBe('new')
  })

  test('replaces hard links and copies of an older podwire', () => {
    const folder = makeFolder('install')
    install(folder)
    rmSync(`${folder}/bridge`)
    must(['ln', `${folder}/podwire`, `${folder}/bridge`])
    expect(install(folder).status).toBe(0)
    expect(uninstall(folder).status).toBe(0)
    expect(readdirSync(folder)).toEqual([])
  })

  test('replaces nothing when the new executable does not run', () => {
    const broken = makeFolder('broken')
    for (const name of ['podwire', 'podwire-plugin']) copyFileSync(`${DIST}/${name}`, `${broken}/${name}`)
    writeFileSync(`${broken}/podwire.node`, 'not an addon')
    const folder = makeFolder('install')
    putForeign(`${folder}/bridge`, 'reference bridge')
    // the lock needs the addon, so a broken one is met there at the latest
    const { status, stderr } = run([`${broken}/podwire`, 'install', '--bin-dir', folder])
    expect(status).toBe(1)
    expect(stderr).toMatch(/podwire\.node|addon/)
    expect(readdirSync(folder)).toEqual(['bridge'])
    expect(lstatSync(`${folder}/bridge`).isFile()).toBe(true)
  })

  test('names the missing addon', () => {
    const alone = makeFolder('alone')
    copyFileSync(PODWIRE, `${alone}/podwire`)
    const { status, stderr } = run([`${alone}/podwire`, 'install', '--bin-dir', makeFolder('install')])
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('podwire.node is not there'),
    })
  })

  test('refuses a folder in the place of an executable, before it changes anything', () => {
    const folder = makeFolder('install')
    mkdirSync(`${folder}/bridge`)
    expect(install(folder)).toMatchObject({ status: 1, stderr: expect.stringContaining('/bridge is a folder') })
    expect(readdirSync(folder)).toEqual(['bridge'])
  })

  test('refuses while another install holds the folder', () => {
    const folder = makeFolder('install')
    const command = [PODWIRE, 'install', '--bin-dir', folder]
    const { status, stderr } = run(['flock', '--nonblock', folder, ...command])
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('another podwire is changing'),
    })
  })

  test('removes what an interrupted install left', () => {
    const folder = makeFolder('install')
    mkdirSync(`${folder}/.podwire-stage`)
    writeFileSync(`${folder}/.podwire-stage/podwire`, 'half')
    expect(install(folder).status).toBe(0)
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test('never fails a plugin that is called while it replaces it', async () => {
    const folder = makeFolder('install')
    install(folder)
    const script = `for i in $(seq 300); do CNI_COMMAND=VERSION ${folder}/bridge </dev/null >/dev/null || exit 1; done`
    const caller = spawn('sh', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    caller.stderr.on('data', (data) => {
      stderr += data
    })
    const ended = new Promise<number | null>((resolve) => caller.on('exit', resolve))
    let installs = 0
    while (caller.exitCode === null && installs < 200) {
      rmSync(`${folder}/loopback`) // so that there is always something to do
      await new Promise((resolve, reject) => {
        const child = spawn(PODWIRE, ['install', '--bin-dir', folder], { stdio: 'ignore' })
        child.on('error', reject)
        child.on('exit', (status) => (status === 0 ? resolve(status) : reject(new Error(`install: ${status}`))))
      })
      installs += 1
    }
    expect({ status: await ended, stderr }).toEqual({ status: 0, stderr: '' })
    expect(installs).toBeGreaterThan(3)
  })
})

describe('podwire uninstall', () => {
  test('says so when there is nothing of podwire', () => {
    const folder = makeFolder('install')
    putForeign(`${folder}/bridge`, 'reference bridge')
    expect(uninstall(folder).stdout).toContain('nothing of podwire')
    expect(uninstall(`${folder}/none`).stdout).toContain('nothing of podwire')
    expect(readFileSync(`${folder}/bridge`, 'utf8')).toContain('reference bridge')
  })
})

describe('podwire', () => {
  test.each([
    [['nonsense'], "error: unknown command 'nonsense'"],
    [['install', '--nonsense'], "error: unknown option '--nonsense'"],
    [['run', 'add', 'net'], "error: missing required argument 'netns'"],
    [['gc', '--grace', 'x'], 'A whole number of seconds is needed'],
    [['gc', '--from', 'x'], 'Allowed choices are cache, netns'],
  ])('%j is not understood: status 2', (args, message) => {
    const { status, stderr } = run([PODWIRE, ...args])
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining(message) })
  })

  test.each([[[]], [['help']], [['--help']], [['gc', '--help']], [['run', 'help', 'add']], [['--version']]])(
    '%j helps: status 0',
    (args) => {
      expect(run([PODWIRE, ...args])).toMatchObject({ status: 0, stderr: '' })
    },
  )
})
