/** What is served to those who watch the agent: `/healthz`, `/readyz` and `/metrics` on a port, `/status` and `/plan` on the
 *  socket. */
import type { Knowledge } from './knowledge.ts'
import type { Metrics } from './metrics.ts'
import type { Report } from './report.ts'
import { type Answer, json, type Routes, text } from './server.ts'

/** The loop turns at least with every resync; one that misses three has come to a stop. */
const MISSED = 3
const GRACE_MS = 30_000

const alive = (know: Knowledge, resyncSeconds: number): Answer => {
  const quiet = Date.now() - know.lastTurn
  if (quiet <= MISSED * resyncSeconds * 1000 + GRACE_MS) return text('ok')
  return text(`the loop has not turned for ${Math.round(quiet / 1000)} s`, 503)
}

const ready = (report: Report): Answer => {
  const missing = report.missing()
  return missing.length === 0 ? text('ok') : text(missing.join('\n'), 503)
}

export const portRoutes = (know: Knowledge, report: Report, metrics: Metrics, resyncSeconds: number): Routes => ({
  '/healthz': () => alive(know, resyncSeconds),
  '/readyz': () => ready(report),
  '/metrics': async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
})

export const socketRoutes = (report: Report): Routes => ({
  '/status': () => json(report.status()),
  '/plan': () => {
    const plan = report.plan()
    return plan === undefined ? text(report.missing().join('\n'), 503) : json(plan)
  },
})
