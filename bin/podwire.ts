/** The executable. Called by the name of a plugin (`bridge`, `host-local` ...) it is that plugin; by any other name it is
 *  the command line. */
import type { Registry } from '../cni/entry.ts'
import { runPlugin } from '../cni/main.ts'
import { registry } from './generated/registry.ts'

const entryFor: Registry = (type) => (Object.hasOwn(registry, type) ? registry[type]?.() : undefined)

const name = process.argv0.slice(process.argv0.lastIndexOf('/') + 1)
const entry = entryFor(name)
if (entry !== undefined) runPlugin(entry, entryFor)
else (require('../cli/main.ts') as typeof import('../cli/main.ts')).main(process.argv.slice(2), registry)
