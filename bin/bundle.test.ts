/** What stands in for node:fs in the executable has to take every call that is made of it: no type check sees the bundle. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXEC_FOLDERS } from './bundle.ts'

const root = new URL('..', import.meta.url).pathname

const sourcesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => join(folder, file))

test('every use of node:fs by code that runs in each exec type-checks against native/files.ts', {
  timeout: 60_000,
}, () => {
  const copy = mkdtempSync(join(root, 'build', 'types-'))
  try {
    const folders = EXEC_FOLDERS.filter((folder) => folder !== 'bin')
    for (const folder of [...folders, 'conf']) cpSync(join(root, folder), join(copy, folder), { recursive: true })
    const files = folders.flatMap((folder) => sourcesIn(join(copy, folder)))
    for (const file of files.filter((name) => !name.startsWith(join(copy, 'native'))))
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/from '(node:)?fs'/g, `from '${copy}/native/files.ts'`))
    const config = { extends: join(root, 'tsconfig.json'), include: [], files }
    writeFileSync(join(copy, 'tsconfig.json'), JSON.stringify(config))
    const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', copy], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
    expect(files.length).toBeGreaterThan(50)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
})
