/** What `podwire node ping` prints. */
import { count, renderTable } from '../screen.ts'
import type { Diagnosis, Fault } from './diagnosis.ts'
import { renderMs } from './status-text.ts'

const mtuText = ({ mtu, deviceMtu }: Diagnosis): string =>
  mtu === undefined ? '-' : mtu === deviceMtu ? String(mtu) : `${mtu} of ${deviceMtu}`

const rowOf = (diagnosis: Diagnosis): readonly string[] => {
  const { path, rtt, fault } = diagnosis
  const result = fault === undefined ? 'ok' : `${fault.at.toUpperCase()}: ${fault.what}`
  return [
    path.key,
    path.target,
    path.endpoint ?? '-',
    rtt === undefined ? '-' : renderMs(rtt),
    mtuText(diagnosis),
    result,
  ]
}

/** Each thing to do once, with those whom it is for. */
const todosOf = (diagnoses: readonly Diagnosis[]): readonly string[] => {
  const keys = new Map<string, string[]>()
  for (const { path, fault } of diagnoses)
    if (fault !== undefined) keys.set(fault.todo, [...(keys.get(fault.todo) ?? []), path.key])
  return [...keys].map(
    ([todo, all]) => `${all.length > 3 ? count(all.length, 'peer') : [...new Set(all)].join(', ')}: ${todo}\n`,
  )
}

const notesOf = (diagnoses: readonly Diagnosis[]): readonly string[] =>
  diagnoses.flatMap(({ path, notes }) => notes.map(({ what }) => `${path.key}: also not as planned: ${what}\n`))

const summaryOf = (diagnoses: readonly Diagnosis[], source: string): string => {
  const failed = diagnoses.filter(({ fault }) => fault !== undefined).length
  return `${diagnoses.length - failed} of ${count(diagnoses.length, 'path')} to peers ok, as planned by ${source}\n`
}

/** Those with a fault first. */
const inOrder = (a: Diagnosis, b: Diagnosis): number =>
  Number(a.fault === undefined) - Number(b.fault === undefined) ||
  a.path.key.localeCompare(b.path.key, 'en', { numeric: true }) ||
  a.path.family - b.path.family

export const renderDiagnoses = (found: readonly Diagnosis[], source: string): string => {
  const diagnoses = found.toSorted(inOrder)
  if (diagnoses.length === 0) return `There are no peers, says ${source}.\n`
  const table = renderTable(['PEER', 'ADDRESS', 'NODE', 'RTT', 'PATH MTU', 'RESULT'], diagnoses.map(rowOf))
  return [table, ...todosOf(diagnoses), ...notesOf(diagnoses), summaryOf(diagnoses, source)].join('')
}

const faultJson = (fault: Fault | undefined): Fault | null => fault ?? null

export const diagnosesJson = (diagnoses: readonly Diagnosis[], source: string): string => {
  const peers = diagnoses.map(({ path, rtt, deviceMtu, mtu, fault, notes }) => ({
    key: path.key,
    family: path.family,
    target: path.target,
    device: path.dev,
    endpoint: path.endpoint,
    port: path.port,
    rtt: rtt ?? null,
    mtu: { device: deviceMtu ?? null, path: mtu ?? null },
    fault: faultJson(fault),
    notes,
  }))
  return `${JSON.stringify({ source, peers }, null, 2)}\n`
}
