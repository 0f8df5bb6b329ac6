/** Runs every case, in a network namespace of its own: `node --import tsx inside.ts [NAME ...]`. */
import { cleanUp } from '../support/cleanup.ts'
import { shell } from '../support/command.ts'
import { cases } from './cases.ts'
import { ADDRESS, startCluster } from './control-plane.ts'

shell(`ip link set lo up; ip link add br0 type bridge; ip addr add ${ADDRESS}/24 dev br0; ip link set br0 up`)

const wanted = process.argv.slice(2)
const chosen = Object.entries(cases).filter(
  ([name]) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
)
if (chosen.length === 0)
  throw new Error(`no case has ${wanted.join(' or ')} in its name:\n${Object.keys(cases).join('\n')}`)

const cluster = await startCluster()
console.log(`the API server answers at ${cluster.url}`)
let failed = 0
for (const [name, run] of chosen) {
  const started = Date.now()
  try {
    await run(cluster)
    console.log(`passed  ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`)
  } catch (error) {
    failed += 1
    console.log(`FAILED  ${name}\n${error instanceof Error ? error.stack : error}`)
  }
}
console.log(`${chosen.length - failed} passed, ${failed} failed`)
cleanUp()
process.exit(failed === 0 ? 0 : 1)
