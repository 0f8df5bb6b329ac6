/** What runs in the sandbox: the stories, one after the other. */
import { tellCluster } from './cluster-story.ts'
import { tellNode } from './node-story.ts'

try {
  const node = await tellNode()
  process.stdout.write('\n')
  const cluster = await tellCluster()
  process.exit(node && cluster ? 0 : 1)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
}
