/** A port before another one, whose connections a test cuts, refuses and holds. */
import { connect, createServer, type Socket } from 'node:net'
import { onCleanup } from '../support/cleanup.ts'

export interface Gate {
  readonly url: string
  /** Cuts what is connected. */
  readonly cut: () => void
  /** Cuts what is connected, and what connects. */
  readonly shut: () => void
  /** New connections are accepted and nothing goes through them until `open`. */
  readonly hold: () => void
  readonly open: () => void
}

export const openGate = (port: number): Promise<Gate> =>
  new Promise((resolve) => {
    const sockets = new Set<Socket>()
    let waiting: (() => void)[] = []
    let state: 'open' | 'shut' | 'held' = 'open'
    const through = (socket: Socket): void => {
      const onward = connect(port, '127.0.0.1')
      for (const each of [socket, onward]) each.on('error', () => undefined)
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.pipe(to)
        from.once('close', () => to.destroy())
      }
    }
    const cut = (): void => {
      for (const socket of sockets) socket.destroy()
      waiting = []
    }
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => sockets.delete(socket))
      if (state === 'shut') socket.destroy()
      else if (state === 'held') waiting.push(() => through(socket))
      else through(socket)
    })
    onCleanup(() => server.close())
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve({
        url: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
        cut,
        shut: () => {
          state = 'shut'
          cut()
        },
        hold: () => {
          state = 'held'
        },
        open: () => {
          state = 'open'
          for (const act of waiting.splice(0)) act()
        },
      })
    })
  })
