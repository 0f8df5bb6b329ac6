/** What `podwire gc` found and did, as a table or as JSON. */
import type { CniError } from '../../cni/error.ts'
import { count, renderTable } from '../screen.ts'
import type { Swept } from './sweep.ts'
import type { Found } from './traces.ts'
import { isKept, type Verdict } from './verdict.ts'

export interface Report extends Swept {
  readonly network: string
  readonly file: string
  readonly verdicts: readonly Verdict[]
  /** Unlisted attachments go too. */
  readonly force: boolean
  readonly note?: string
}

const holdsOf = ({ cached, reservations, hasInterface }: Found): readonly string[] => [
  ...reservations.map(({ address }) => String(address)),
  ...(hasInterface ? ['interface'] : []),
  ...(cached === undefined ? [] : ['cached result']),
]

/** A container id as far as it tells containers apart. */
const ID_WIDTH = 20
const shortId = (id: string): string => (id.length <= ID_WIDTH ? id : `${id.slice(0, ID_WIDTH - 3)}...`)

const rowOf = ({ found, state, why }: Verdict): readonly string[] => [
  shortId(found.containerID),
  found.ifName || '?',
  state,
  holdsOf(found).join(', '),
  why,
]

const summaryOf = ({ verdicts, force, asked, unaware, note }: Report, dryRun: boolean): string => {
  const stale = verdicts.filter((verdict) => !isKept(verdict, force)).length
  const kept = verdicts.length - stale
  if (note !== undefined) return note
  if (dryRun) return `${count(stale, 'attachment')} would be removed, ${kept} kept (--dry-run: nothing was changed)`
  const gc = asked.length === 0 ? 'no plugin does GC' : `GC done by ${asked.join(', ')}`
  const rest = unaware.length === 0 ? '' : `; without GC: ${unaware.join(', ')}`
  return `${count(stale, 'attachment')} removed, ${kept} kept; ${gc}${rest}`
}

const renderReport = (report: Report, dryRun: boolean): string => {
  const table = renderTable(['CONTAINER', 'IFNAME', 'STATE', 'HOLDS', 'WHY'], report.verdicts.map(rowOf))
  return `network ${report.network} (${report.file})\n${table}${summaryOf(report, dryRun)}\n`
}

const failureJson = ({ code, message, details }: CniError): object => ({ code, msg: message, details })

const reportJson = ({ network, file, verdicts, force, asked, unaware, failures, note }: Report): object => ({
  network,
  file,
  attachments: verdicts.map((verdict) => ({
    containerID: verdict.found.containerID,
    ifName: verdict.found.ifName,
    state: verdict.state,
    why: verdict.why,
    holds: holdsOf(verdict.found),
    remove: !isKept(verdict, force),
  })),
  asked,
  unaware,
  failures: failures.map(failureJson),
  note,
})

export const renderReports = (
  reports: readonly Report[],
  { json = false, dryRun = false }: { readonly json?: boolean; readonly dryRun?: boolean },
): string => {
  if (json) return `${JSON.stringify({ dryRun, networks: reports.map(reportJson) }, null, 2)}\n`
  if (reports.length === 0) return 'No network is configured or cached.\n'
  return reports.map((report) => renderReport(report, dryRun)).join('\n')
}
