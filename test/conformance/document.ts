/** The page `docs/conformance.md`: both directories' tables, and what is passed in one and not in the other. */
import { existsSync } from 'node:fs'
import { REFERENCE } from '../support/plugin.ts'
import { runChecklist, type Selection, type Verdict } from './run.ts'
import { renderDifferences, renderTables } from './table.ts'

const page = (ours: readonly Verdict[], theirs: readonly Verdict[]): string => `# Conformance

43 items of the CNI specification (0.1.0 to 1.1.0), of what libcni relies on, and of what a node must survive, asked of each
plugin under each version that they apply to. The program takes any folder of plugins:

    npm run conformance -- --bin-dir DIR [--plugin NAME] [--item N] [--spec VERSION] [--json]

Everything happens in network namespaces that it makes and removes. Which item is asked of which plugin, and why not of the
others, is in \`test/conformance/applicability.ts\`. Where libcni's own plugins depart from the letter of the specification
and runtimes have come to depend on it, both are accepted. This page is written by

    npm run build && npm run conformance -- --docs docs/conformance.md

## What podwire passes and Debian's containernetworking-plugins (1.1.1) do not

Under version 1.0.0, the newest that they have; items about GC and STATUS came with 1.1.0 and are not among these.

${renderDifferences(ours, theirs, '1.0.0')}

## podwire

${renderTables(ours)}

## ${REFERENCE} (containernetworking-plugins 1.1.1)

${renderTables(theirs)}
`

/** The text of the page. `dir` holds podwire's plugins. @throws Error when there is nothing to compare with */
export const renderPage = async (dir: string, progress: Required<Selection>['progress']): Promise<string> => {
  if (!existsSync(REFERENCE)) throw new Error(`${REFERENCE} is missing: install containernetworking-plugins`)
  return page(await runChecklist({ dir, progress }), await runChecklist({ dir: REFERENCE, progress }))
}
