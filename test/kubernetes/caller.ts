/** The API as an administrator's program calls it: for what the tests set up and look at, without anything of the product. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { Pki } from './pki.ts'

export interface Answer {
  readonly status: number
  /** The lines of a stream, or the one JSON of an answer. */
  readonly lines: readonly unknown[]
}

/** @param body JSON; a strategic merge patch with PATCH */
export type Caller = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) => Promise<Answer>

const parsed = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}

const PATCH_TYPE = 'application/strategic-merge-patch+json'

export const callerOf =
  (url: string, pki: Pki, token: string): Caller =>
  (method, path, body) =>
    new Promise((resolve, reject) => {
      const contentType = method === 'PATCH' ? PATCH_TYPE : 'application/json'
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': contentType }
      const sent = request(`${url}${path}`, { method, headers, ca: readFileSync(pki.ca) }, (response) => {
        const parts: string[] = []
        response.setEncoding('utf8')
        response.on('data', (part: string) => parts.push(part))
        response.on('error', reject)
        response.on('end', () => {
          const lines = parts.join('').split('\n').filter(Boolean).map(parsed)
          resolve({ status: response.statusCode ?? 0, lines })
        })
      })
      sent.on('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
