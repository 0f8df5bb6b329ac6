/** HTTP, on a loopback port for those who watch the agent and on a unix socket for the `podwire` command. GET alone. */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { CniError, ERR_IO } from '../cni/error.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** By path. */
export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>

export const text = (body: string, status = 200): Answer => ({
  status,
  type: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})
export const json = (value: unknown): Answer => ({ status: 200, type: 'application/json', body: JSON.stringify(value) })

const answerOf = async (routes: Routes, method: string, url: string): Promise<Answer> => {
  const [path = ''] = url.split('?')
  if (method !== 'GET' && method !== 'HEAD') return text('only GET is served', 405)
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined
  return route === undefined ? text(`no such path; there are ${Object.keys(routes).join(', ')}`, 404) : route()
}

const send = (response: ServerResponse, { status, type, body }: Answer): void => {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

const serverOf = (routes: Routes): Server =>
  createServer((request, response) => {
    answerOf(routes, request.method ?? '', request.url ?? '/')
      .then((answer) => send(response, answer))
      .catch((error: unknown) => send(response, text(String(error), 500)))
  })

const listening = (server: Server, listen: () => void, where: string): Promise<Server> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new CniError(ERR_IO, `${where} cannot be listened on: ${error.message}`)))
    server.once('listening', () => resolve(server))
    listen()
  })

/** Closes a server at once, whoever is connected. */
export const closeServer = (server: Server): void => {
  server.closeAllConnections()
  server.close()
}

/** @throws CniError 5 when the port is taken or the address is not this node's */
export const servePort = (routes: Routes, host: string, port: number): Promise<Server> => {
  const server = serverOf(routes)
  return listening(server, () => server.listen(port, host), `${host}, port ${port}, (--healthz-ip, --healthz-port)`)
}

/** For root alone. What an agent that was killed left there is replaced: whoever calls holds the lock. @throws CniError 5 */
export const serveSocket = async (routes: Routes, path: string): Promise<Server> => {
  rmSync(path, { force: true })
  const server = serverOf(routes)
  const mask = process.umask(0o177)
  try {
    await listening(server, () => server.listen(path), path)
  } finally {
    process.umask(mask)
  }
  chmodSync(path, 0o600)
  return server
}
