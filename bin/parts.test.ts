/** A program and its parts, bundled and run as the executable's script has them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleWithParts } from './bundle.ts'
import { renderParts } from './parts.ts'

const root = new URL('..', import.meta.url).pathname
mkdirSync(`${root}build`, { recursive: true })
const folder = mkdtempSync(join(root, 'build', 'parts-'))
const FILES = {
  'error.ts': 'export class Own extends Error {}',
  'ours.ts': "import { Own } from './error.ts'\nexport const fail = () => { throw new Own() }",
  'library.ts':
    "import type { Own } from './error.ts'\nexport type Kind = Own\nexport { Counter } from 'prom-client'\nexport const loaded = ((globalThis as never as { loads: number }).loads += 1)",
  'program.ts': `import { Own } from './error.ts'
export const load = async () => {
  const [library, again, ours, pino, fs] = await Promise.all([import('./library.ts'), import('./library.ts'),
    import('./ours.ts'), import('pino'), import('node:fs')])
  const isOwn = () => { try { ours.fail() } catch (error) { return error instanceof Own } }
  return { counter: typeof library.Counter, loads: [library.loaded, again.loaded], isOwn: isOwn(),
    log: [pino.default === pino.pino, typeof pino.pino], fs: typeof fs.readFileSync }
}`,
}
interface Program {
  readonly load: () => Promise<unknown>
}

beforeAll(() => {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('bundleWithParts() sets libraries apart, which are evaluated once, when they are first imported', async () => {
  const { code, parts } = await bundleWithParts(root, join(folder, 'program.ts'))
  expect(parts.map(([name]) => name)).toEqual([`./${folder.slice(root.length)}/library.ts`, 'pino'])
  writeFileSync(join(folder, 'script.cjs'), renderParts(parts) + code)
  Object.assign(globalThis, { loads: 0 })
  const program: Program = createRequire(import.meta.url)(join(folder, 'script.cjs'))
  expect(globalThis).toMatchObject({ loads: 0 })
  expect(await program.load()).toEqual({
    counter: 'function',
    loads: [1, 1],
    isOwn: true,
    log: [true, 'function'],
    fs: 'function',
  })
})

test('a part that is no package is named from the checkout, not from where it was built', async () => {
  const { code } = await bundleWithParts(root, join(folder, 'program.ts'))
  expect(code).not.toContain(root)
})
