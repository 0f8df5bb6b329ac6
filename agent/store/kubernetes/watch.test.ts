/** Watching all Nodes, and everything that can go wrong with it. */
import { expect, test } from 'vitest'
import { bareNode, flannelAnnotations, flannelNode } from '../../../test/kubernetes/node-object.ts'
import { useServer } from '../../../test/kubernetes/server.bed.ts'
import { eventually, type Watching } from '../../../test/kubernetes/watching.ts'
import { StoreError } from '../store.ts'

const { server, storeWith, watch, asked, putNodes } = useServer()

/** A watch that has reported nodes 1 and 2 and is connected. */
const watchTwo = async (store = storeWith()): Promise<Watching> => {
  putNodes(2)
  const started = watch(store)
  await started.until('all node-1 node-2')
  await eventually(() => server().watches.open() === 1, 'a watch')
  return started
}

test('all leases first, then every change', async () => {
  const { until, events } = await watchTwo()
  server().nodes.put(flannelNode(3))
  server().nodes.patch('node-2', { metadata: { annotations: flannelAnnotations({ 'public-ip': '192.0.2.222' }) } })
  server().nodes.remove('node-1')
  await until('all node-1 node-2', 'set node-3', 'set node-2', 'gone node-1')
  expect(events[1]).toEqual({
    kind: 'set',
    lease: {
      key: 'node-3',
      subnet: '10.0.3.0/24',
      publicIP: '192.0.2.3',
      backendType: 'vxlan',
      data: { vni: 1, vtepMac: '0e:f1:00:00:00:03' },
      v6Data: {},
    },
  })
  expect(events[2]).toMatchObject({ lease: { publicIP: '192.0.2.222' } })
})

test('a node that reports its health is no news', async () => {
  const { until } = await watchTwo()
  for (const status of ['True', 'False', 'True'])
    server().nodes.patch('node-1', { status: { conditions: [{ type: 'Ready', status }] } })
  server().nodes.put(flannelNode(3))
  await until('all node-1 node-2', 'set node-3')
})

test('a node becomes a lease with its podCIDR and annotations, and ceases to be one without', async () => {
  const { until } = await watchTwo()
  const node = flannelNode(3)
  server().nodes.put(bareNode('node-3'))
  server().nodes.put({ ...node, spec: {} })
  server().nodes.put(node)
  server().nodes.patch('node-3', { metadata: { annotations: flannelAnnotations({ 'kube-subnet-manager': 'false' }) } })
  server().nodes.remove('node-3')
  server().nodes.remove('node-2')
  await until('all node-1 node-2', 'set node-3', 'gone node-3', 'gone node-2')
})

test('a node with broken annotations is invalid until it is mended', async () => {
  putNodes(1)
  server().nodes.put({
    ...bareNode('node-2', '10.0.2.0/24'),
    metadata: { name: 'node-2', annotations: flannelAnnotations({ 'kube-subnet-manager': 'true', 'public-ip': 'x' }) },
  })
  const { until, events } = watch()
  await until('all node-1 (node-2)')
  expect(events[0]).toMatchObject({
    invalid: new Map([['node-2', 'flannel.alpha.coreos.com/public-ip: "x" is not an IPv4 address']]),
  })
  server().nodes.put(flannelNode(2))
  server().nodes.patch('node-2', { metadata: { annotations: flannelAnnotations({ 'backend-data': '{' }) } })
  await until('all node-1 (node-2)', 'set node-2', 'invalid node-2')
  server().nodes.remove('node-2')
  await until('invalid node-2', 'gone node-2')
})

test('the watch asks for bookmarks and an end', async () => {
  await watchTwo()
  const [{ line } = { line: '' }] = asked('watch nodes')
  const parameters = new URL(line.slice(4), server().url).searchParams
  expect(parameters.get('allowWatchBookmarks')).toBe('true')
  expect(parameters.get('resourceVersion')).toBe(String(server().nodes.version()))
  expect(Number(parameters.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300)
})

test.for([1, 2, 3, 7, 1000])('lines that arrive in pieces of %d bytes', async (pieces) => {
  const { until, events } = await watchTwo()
  server().watches.faults.pieces = pieces
  server().nodes.patch('node-2', {
    metadata: {
      annotations: { 'example.com/name': 'Ärger 日本 🚀', ...flannelAnnotations({ 'public-ip': '192.0.2.222' }) },
    },
  })
  server().nodes.put(flannelNode(3))
  await until('all node-1 node-2', 'set node-2', 'set node-3')
  expect(events[1]).toMatchObject({ lease: { publicIP: '192.0.2.222' } })
})

test('when the server ends the watch, it goes on from there without a list', async () => {
  const { until } = await watchTwo()
  server().nodes.put(flannelNode(3))
  await until('set node-3')
  server().nodes.tick()
  server().sendBookmark()
  server().nodes.put(flannelNode(4))
  await until('set node-4')
  server().watches.end()
  server().nodes.put(flannelNode(5))
  await until('all node-1 node-2', 'set node-3', 'set node-4', 'set node-5')
  expect(asked('list nodes')).toHaveLength(1)
  expect(asked('watch nodes')).toHaveLength(2)
})

test('a bookmark moves the place to go on from', async () => {
  const { until } = await watchTwo()
  server().nodes.tick()
  server().nodes.compact()
  server().sendBookmark()
  await eventually(() => server().watches.open() === 1, 'a watch')
  server().nodes.put(flannelNode(3))
  await until('set node-3')
  server().watches.end()
  server().nodes.remove('node-3')
  await until('all node-1 node-2', 'set node-3', 'gone node-3')
  expect(asked('list nodes')).toHaveLength(1)
})

test('a place that the server has forgotten: all is reported anew', async () => {
  const { until } = await watchTwo()
  server().nodes.remove('node-1')
  await until('gone node-1')
  server().watches.end()
  server().nodes.put(flannelNode(3))
  server().nodes.compact()
  await until('all node-1 node-2', 'gone node-1', 'all node-2 node-3')
  server().nodes.put(flannelNode(4))
  await until('set node-4')
})

test('an error in the stream of another kind ends the watch with the server’s words', async () => {
  const { outcome } = await watchTwo()
  server().watches.inject(
    '{"type":"ERROR","object":{"kind":"Status","code":500,"message":"etcdserver: leader changed"}}',
  )
  await eventually(() => outcome() !== undefined, 'the end')
  expect(outcome()).toBeInstanceOf(StoreError)
  expect(String(outcome())).toContain('the API server ends the watch of the nodes: etcdserver: leader changed')
})

test('a connection that breaks is an error, and the next watch goes on where it broke', async () => {
  const store = storeWith()
  const { outcome } = await watchTwo(store)
  await server().stop()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(outcome()).toBeInstanceOf(StoreError)
  server().nodes.put(flannelNode(3))
  server().nodes.remove('node-1')
  const refused = watch(store)
  await eventually(() => refused.outcome() !== undefined, 'the end')
  expect(refused.heard()).toEqual([])
  expect(String(refused.outcome())).toMatch(/StoreError: GET http:\S+watch=true\S*: .*ECONNREFUSED/)
  await server().start()
  await watch(store).until('all node-1 node-2', 'set node-3', 'gone node-1')
  expect(asked('list nodes')).toHaveLength(1)
})

test('a line that broke off in the middle is not half believed', async () => {
  const store = storeWith()
  const { outcome, heard } = await watchTwo(store)
  Object.assign(server().watches.faults, { pieces: 40, pause: 10 })
  server().nodes.put(flannelNode(3))
  await server().stop()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(heard()).toEqual(['all node-1 node-2'])
  server().watches.faults.pieces = 4096
  await server().start()
  await watch(store).until('all node-1 node-2', 'set node-3')
})

test.for([
  ['is not JSON', '{"type":"ADDED","object":'],
  ['has no node in it', '{"type":"ADDED","object":{}}'],
])('a line that %s: the next watch lists anew', async ([, line = '']) => {
  const store = storeWith()
  const { outcome } = await watchTwo(store)
  server().watches.inject(line)
  await eventually(() => outcome() !== undefined, 'the end')
  expect(outcome()).toBeInstanceOf(StoreError)
  await watch(store).until('all node-1 node-2')
  expect(asked('list nodes')).toHaveLength(2)
})

test('silence is a lost connection, a bookmark is none', async () => {
  const { outcome } = await watchTwo(storeWith(400))
  const beating = setInterval(() => server().sendBookmark(), 50)
  const before = asked('watch nodes').length
  await new Promise((resolve) => setTimeout(resolve, 1200))
  const isHeld = outcome() === undefined && asked('watch nodes').length === before
  clearInterval(beating)
  await eventually(() => outcome() !== undefined, 'the end')
  expect(isHeld).toBe(true)
  expect(String(outcome())).toContain('nothing was heard for 0.4 s')
})

test('a server that ends each watch at once is not asked again at once', async () => {
  putNodes(2)
  server().conduct.before = (line) => {
    if (line.includes('watch=true')) setImmediate(() => server().watches.end())
  }
  const { outcome } = watch()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(String(outcome())).toContain('ends a watch of the nodes as soon as it begins')
  expect(asked('watch nodes')).toHaveLength(1)
})

test('what stands between: its words are shown', async () => {
  server().conduct.instead = { code: 502, text: '<html>Bad Gateway</html>' }
  const { outcome } = watch()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(String(outcome())).toBe(
    `StoreError: GET ${server().url}/api/v1/nodes?limit=100: the answer is 502, "<html>Bad Gateway</html>"`,
  )
})

test('a watch that is refused', async () => {
  putNodes(1)
  server().conduct.rights = ['list nodes']
  const { outcome, heard } = watch()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(heard()).toEqual(['all node-1'])
  expect(String(outcome())).toMatch(/the answer is 403, nodes is forbidden: User ".*" cannot watch resource "nodes"/)
})

test('an abort ends it without an error, wherever it is', async () => {
  const { stop, outcome } = await watchTwo()
  await stop()
  expect(outcome()).toBe('resolved')
  await eventually(() => server().watches.open() === 0, 'no watch')
  server().conduct.mute = true
  const mute = watch()
  await eventually(() => asked('list nodes').length === 2, 'a list')
  await mute.stop()
  expect(mute.outcome()).toBe('resolved')
})
