/** What the kernel answered is the engine's to collect, counted by what it takes. */
import { expect, test } from 'vitest'
import { getLink } from './link.ts'
import { NETLINK_ROUTE, openSocket } from './socket.ts'

const MIB = 2 ** 20
const rss = (): number => process.memoryUsage().rss / MIB

test('answers to thousands of small requests do not pile up', () => {
  const socket = openSocket(NETLINK_ROUTE, -1)
  const ask = (times: number): void => {
    for (let i = 0; i < times; i++) getLink(socket, 'lo')
  }
  ask(1000)
  const before = rss()
  ask(30_000)
  socket.close()
  expect(rss() - before).toBeLessThan(100)
})
