/** Requests to the API server: an answer in JSON, or a stream of lines. None waits without a limit. */
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { DecodeError, quote } from '../../../addr/error.ts'
import { StoreError } from '../store.ts'
import type { Access } from './access.ts'
import { type Limit, openLimit } from './limit.ts'
import { linesOf } from './lines.ts'

export interface Query {
  readonly method: 'GET' | 'PATCH'
  /** With its parameters: `/api/v1/nodes?limit=100`. */
  readonly path: string
  /** JSON of a strategic merge patch. */
  readonly patch?: string
}

/** What the server answered, whatever its status. */
export interface Answer {
  readonly status: number
  /** JSON; undefined when it was none. */
  readonly body: unknown
  /** The server's own words about a refusal. */
  readonly message: string
}

/** Within this long, in ms, an answer has begun, and goes on. */
const PATIENCE = 30_000
const PATCH_TYPE = 'application/strategic-merge-patch+json'

const wordsOf = (error: unknown): string => {
  const { message, code } = error as { message?: string; code?: string }
  return code === undefined || message?.includes(code) ? (message ?? String(error)) : `${message} (${code})`
}

const nameOf = (access: Access, { method, path }: Query): string => `${method} ${access.server}${path}`

/** The error of a request that was not answered, or not to its end; what the reader of an answer throws is its own. */
const broken = (access: Access, query: Query, limit: Limit, error: unknown): Error =>
  error instanceof StoreError || error instanceof DecodeError
    ? error
    : new StoreError(`${nameOf(access, query)}: ${limit.exceeded() ?? wordsOf(error)}`, { cause: error })

/** The error of an answer that is not what was asked for. */
export const refused = (access: Access, query: Query, { status, message }: Answer): StoreError =>
  new StoreError(`${nameOf(access, query)}: the answer is ${status}${message === '' ? '' : `, ${message}`}`)

const begin = async (access: Access, query: Query, signal: AbortSignal): Promise<IncomingMessage> => {
  const url = new URL(access.server + query.path)
  const { headers, ...options } = await access.requestOptions()
  const contentType = query.patch === undefined ? {} : { 'Content-Type': PATCH_TYPE }
  const all = { ...headers, ...contentType, Accept: 'application/json', 'User-Agent': 'podwire' }
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'http:' ? requestHttp : requestHttps
    const request = send(url, { ...options, method: query.method, headers: all, signal })
    request.on('response', resolve)
    request.on('error', reject)
    request.end(query.patch)
  })
}

const textOf = async (response: IncomingMessage, limit: Limit): Promise<string> => {
  const parts: string[] = []
  for await (const part of response.setEncoding('utf8')) {
    limit.extend(PATIENCE)
    parts.push(part)
  }
  return parts.join('')
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @param text JSON; of a refusal `Status` (apimachinery meta/v1), or what a proxy in between says */
const answerOf = (status: number, text: string): Answer => {
  const body = parsed(text)
  const { message } = (body ?? {}) as { message?: unknown }
  return { status, body, message: typeof message === 'string' ? message : body === undefined ? quote(text) : '' }
}

/** Asks once. @throws StoreError when there is no answer */
export const ask = async (access: Access, query: Query, signal: AbortSignal): Promise<Answer> => {
  const limit = openLimit(signal, PATIENCE)
  try {
    const response = await begin(access, query, limit.signal)
    return answerOf(response.statusCode ?? 0, await textOf(response, limit))
  } catch (error) {
    throw broken(access, query, limit, error)
  } finally {
    limit.close()
  }
}

/** As `ask`, for what must be answered with JSON and a status of success. @throws StoreError */
export const askFor = async (access: Access, query: Query, signal: AbortSignal): Promise<unknown> => {
  const answer = await ask(access, query, signal)
  if (answer.status < 200 || answer.status > 299 || answer.body === undefined) throw refused(access, query, answer)
  return answer.body
}

export interface LineReader {
  /** The server has taken the request and lines may come. */
  readonly onOpen: () => void
  /** Returns false to read no further. */
  readonly onLine: (line: string) => boolean
  /** Ms without a byte after which the connection counts as lost. */
  readonly silence: number
}

/** Reads a stream to its end. Returns undefined, or the answer of a server that gives no stream. @throws StoreError when it breaks off, and
 *  what `reader` throws */
export const askForLines = async (
  access: Access,
  query: Query,
  reader: LineReader,
  signal: AbortSignal,
): Promise<Answer | undefined> => {
  const limit = openLimit(signal, PATIENCE)
  try {
    const response = await begin(access, query, limit.signal)
    if (response.statusCode !== 200) return answerOf(response.statusCode ?? 0, await textOf(response, limit))
    response.socket.setKeepAlive(true, PATIENCE)
    limit.extend(reader.silence)
    reader.onOpen()
    for await (const line of linesOf(response.setEncoding('utf8'), () => limit.extend(reader.silence)))
      if (!reader.onLine(line)) break
    return undefined
  } catch (error) {
    throw broken(access, query, limit, error)
  } finally {
    limit.close()
  }
}
