/** What a cut-down development kernel lacks (VLANs on a bridge), and the whole chain on the kernel that users of Debian run:
 *  all cases in one boot of a guest. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { beforeAll, expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { binDir } from '../support/plugin.ts'
import { runInGuest } from './boot.ts'
import type { Verdict } from './case.ts'
import { cases } from './cases.ts'

const verdicts = new Map<string, Verdict>()

/** Each file keeps its own folder, by which it finds others. */
const keepFolders: Plugin = {
  name: 'folders',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('import.meta.dirname', JSON.stringify(dirname(path))),
      loader: 'ts',
    })),
}

/** One file of plain JavaScript: a loader would take seconds in a software guest. */
const bundle = async (): Promise<string> => {
  const outfile = `${makeFolder('cases')}/inside.mjs`
  await build({
    entryPoints: [`${import.meta.dirname}/inside.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    plugins: [keepFolders],
  })
  return outfile
}

beforeAll(async () => {
  const script = await bundle()
  const { stdout, stderr } = await runInGuest(`PODWIRE_BIN_DIR=${binDir()} exec ${process.execPath} ${script}`)
  console.log(stderr)
  for (const line of stdout.split('\n').filter(Boolean)) {
    const verdict: Verdict = JSON.parse(line)
    verdicts.set(verdict.name, verdict)
  }
  if (verdicts.size === 0) throw new Error(`the guest ran no case:\n${stderr}`)
}, 1_260_000)

test.for(Object.keys(cases))('%s, in a guest', (name) => {
  expect(verdicts.get(name)?.error).toBe('')
})
