/** The command line, which the executable is by any name that is no plugin's; as `bridge`, `host-local` ... it is
 *  `generated/plugin-<type>.ts`. `bundle.ts` joins them. */
import { main } from '../cli/main.ts'
import { registry } from './generated/registry.ts'

main(process.argv.slice(2), registry)
