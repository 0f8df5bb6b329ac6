/** Asks over the wire what the diagnosis needs to know: every peer for an echo. Those that are silent though the kernel's state
 *  is right are asked over the underlay, too; of those that answer the path's MTU is measured. */
import type { Kernel } from '../../kernel/kernel.ts'
import type { Progress } from '../screen.ts'
import { count } from '../screen.ts'
import { type Diagnosis, diagnose, kernelFaults, type WireFindings } from './diagnosis.ts'
import { askEchoes, SMALLEST } from './echo-round.ts'
import { type KernelView, observeKernel } from './kernel-view.ts'
import { measurePathMtus } from './path-mtu.ts'
import { askPorts } from './port-round.ts'
import { type PeerPath, pathsOf, type Survey } from './survey.ts'

type Findings = ReadonlyMap<PeerPath, Partial<WireFindings>>

const NOTHING: Findings = new Map()

/** The answers to what `use` asks for those paths that it takes, by path. */
const each = async <Ask, Answer>(
  paths: readonly PeerPath[],
  askOf: (path: PeerPath) => Ask | undefined,
  ask: (asks: readonly Ask[]) => Promise<readonly Answer[]>,
  findingOf: (answer: Answer) => Partial<WireFindings>,
): Promise<Findings> => {
  const asked = paths.flatMap((path) => {
    const question = askOf(path)
    return question === undefined ? [] : [{ path, question }]
  })
  if (asked.length === 0) return NOTHING
  const answers = await ask(asked.map(({ question }) => question))
  return new Map(
    asked.flatMap(({ path }, i): [PeerPath, Partial<WireFindings>][] => {
      const answer = answers[i]
      return answer === undefined ? [] : [[path, findingOf(answer)]]
    }),
  )
}

const findOverlay = (paths: readonly PeerPath[]): Promise<Findings> =>
  each(
    paths,
    ({ target, family }) => ({ ip: target, length: SMALLEST[family] }),
    (asks) => askEchoes(asks),
    (overlay) => ({ overlay }),
  )

const findUnderlay = (paths: readonly PeerPath[]): Promise<Findings> =>
  each(
    paths,
    ({ endpoint, family }) => (endpoint === undefined ? undefined : { ip: endpoint, length: SMALLEST[family] }),
    (asks) => askEchoes(asks),
    (underlay) => ({ underlay }),
  )

const findPorts = (paths: readonly PeerPath[]): Promise<Findings> =>
  each(
    paths,
    ({ endpoint, port }) => (endpoint === undefined || port === undefined ? undefined : { ip: endpoint, port }),
    askPorts,
    (port) => ({ port }),
  )

const findOverlayMtu = (paths: readonly PeerPath[], view: KernelView): Promise<Findings> =>
  each(
    paths,
    ({ target, dev }) => ({ ip: target, upTo: view.link(dev)?.mtu ?? 0 }),
    measurePathMtus,
    (overlayMtu) => (overlayMtu === undefined ? {} : { overlayMtu }),
  )

const findUnderlayMtu = (paths: readonly PeerPath[], view: KernelView): Promise<Findings> =>
  each(
    paths,
    ({ endpoint, link, dev, overhead }) =>
      endpoint === undefined || link === undefined
        ? undefined
        : { ip: endpoint, upTo: (view.link(dev)?.mtu ?? 0) + overhead },
    measurePathMtus,
    (underlayMtu) => (underlayMtu === undefined ? {} : { underlayMtu }),
  )

const SILENT = { overlay: { errno: 0 } } as const

/** One diagnosis for each peer and family. @throws NetlinkError EPERM without CAP_NET_RAW */
export const examine = async (survey: Survey, kernel: Kernel, progress: Progress): Promise<readonly Diagnosis[]> => {
  const paths = pathsOf(survey)
  progress.step(`asking ${count(paths.length, 'peer')}`)
  const view = observeKernel(survey, paths, kernel)
  const overlay = await findOverlay(paths)
  const isReached = (path: PeerPath): boolean => overlay.get(path)?.overlay?.rtt !== undefined
  const reached = paths.filter(isReached)
  const isSilent = (path: PeerPath): boolean =>
    !isReached(path) && kernelFaults(path, view, survey.underlay).length === 0
  const silent = paths.filter(isSilent)
  if (silent.length > 0) progress.step(`${count(silent.length, 'peer')} silent: asking them over the underlay`)
  const why = await Promise.all([findUnderlay(silent), findPorts(silent)])
  if (reached.length > 0) progress.step(`measuring the path MTU to ${count(reached.length, 'peer')}`)
  const mtus = await Promise.all([findOverlayMtu(reached, view), findUnderlayMtu(reached, view)])
  return paths.map((path) => {
    const found = [overlay, ...why, ...mtus].map((findings) => findings.get(path))
    return diagnose(path, view, Object.assign({}, SILENT, ...found), survey.underlay)
  })
}
