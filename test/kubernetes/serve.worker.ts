/** The server of our own, over HTTPS, as a program: `serve.worker.ts KEY CERT CA PEERS READY` has node `n1` with a podCIDR
 *  and PEERS nodes of flanneld, writes its URL to READY, and what was asked of it, a line each, to READY.asked. It
 *  does what a line on stdin says (ORDERS). */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { startApiServer } from './api-server.ts'
import { bareNode, flannelAnnotations, flannelNode } from './node-object.ts'

const [key = '', cert = '', ca = '', peers = '', ready = ''] = process.argv.slice(2)
const server = await startApiServer({
  key: readFileSync(key, 'utf8'),
  cert: readFileSync(cert, 'utf8'),
  ca: readFileSync(ca, 'utf8'),
})
/** An image list makes a Node as large as they are. */
const images = Array.from({ length: 50 }, (_, i) => ({
  names: [`registry.example.com/team/image-${i}@sha256:${'0123456789abcdef'.repeat(4)}`],
  sizeBytes: 1e8 + i,
}))
server.conduct.tokens = ['of-the-pod']
server.conduct.before = (line) => {
  appendFileSync(`${ready}.asked`, `${server.asked.at(-1)?.right} ${line}\n`)
}
server.nodes.put(bareNode('n1', '10.244.255.0/24'))
for (let n = 2; n < Number(peers) + 2; n++) {
  const node = flannelNode(n)
  const podCIDR = `10.244.${n}.0/24`
  server.nodes.put({ ...node, spec: { podCIDR, podCIDRs: [podCIDR] }, status: { images } })
}

const ORDERS: Readonly<Record<string, () => void>> = {
  'remove the last node': () => server.nodes.remove(server.nodes.all().at(-1)?.metadata.name ?? ''),
  'break connections': async () => {
    await server.stop()
    setTimeout(() => void server.start(), 1000)
  },
  'touch n1': () => {
    server.nodes.patch('n1', { metadata: { annotations: flannelAnnotations({ 'public-ip': '203.0.113.9' }) } })
  },
  'move n1': () => {
    server.nodes.patch('n1', { spec: { podCIDR: '10.244.254.0/24', podCIDRs: ['10.244.254.0/24'] } })
  },
}
createInterface(process.stdin).on('line', (line) => ORDERS[line]?.())
writeFileSync(ready, server.url)
