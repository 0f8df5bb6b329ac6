/** Listing all Nodes, page by page. */
import { expect, test } from 'vitest'
import { useServer } from '../../../test/kubernetes/server.bed.ts'
import { eventually } from '../../../test/kubernetes/watching.ts'

const { server, watch, asked, putNodes } = useServer()

test('nodes are listed page by page', async () => {
  putNodes(250)
  const { until, events } = watch()
  await eventually(() => events.length > 0, 'all')
  await until(
    `all ${server()
      .nodes.all()
      .map(({ metadata }) => metadata.name)
      .join(' ')}`,
  )
  expect(asked('list nodes').map(({ line }) => line.replace(/continue=\S+/, 'continue'))).toEqual([
    'GET /api/v1/nodes?limit=100',
    'GET /api/v1/nodes?limit=100&continue',
    'GET /api/v1/nodes?limit=100&continue',
  ])
})

test('a list whose continuation expires is begun anew', async () => {
  putNodes(150)
  server().conduct.before = (line) => {
    if (line.includes('continue') && asked('list nodes').length === 2) server().nodes.compact()
  }
  const { events } = watch()
  await eventually(() => events.length > 0, 'all')
  expect(events[0]).toMatchObject({ kind: 'all', leases: { length: 150 } })
  expect(asked('list nodes')).toHaveLength(4)
})

test('a list that never comes to its end is an error', async () => {
  putNodes(150)
  server().conduct.before = (line) => (line.includes('continue') ? server().nodes.compact() : undefined)
  const { outcome } = watch()
  await eventually(() => outcome() !== undefined, 'the end')
  expect(outcome()).toMatchObject({ name: 'StoreError', message: expect.stringContaining('forgets the list of nodes') })
})
