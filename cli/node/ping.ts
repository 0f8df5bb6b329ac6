/** `podwire node ping`: which peers are reached over the overlay, and what keeps the others from being. */
import { Command } from 'commander'
import { quote } from '../../addr/error.ts'
import { CniError, ERR_CONFIG } from '../../cni/error.ts'
import { type Kernel, openKernel } from '../../kernel/kernel.ts'
import { giveUp, openProgress } from '../screen.ts'
import { RUN_FOLDER } from './agent-socket.ts'
import type { Diagnosis } from './diagnosis.ts'
import { examine } from './examination.ts'
import { diagnosesJson, renderDiagnoses } from './ping-text.ts'
import type { PeerLease, Survey } from './survey.ts'
import { surveyAgent, surveyFolder } from './surveyor.ts'

interface Options {
  readonly runDir: string
  readonly store?: string
  readonly json?: boolean
}

const namesOf = ({ key, subnet, ipv6Subnet, publicIP, publicIPv6 }: PeerLease): readonly string[] =>
  [key, subnet, ipv6Subnet, publicIP, publicIPv6].filter((name) => name !== undefined)

/** The survey of the peers that are named; of all when none is. @throws CniError 7 when there is no such peer */
const restrict = (survey: Survey, names: readonly string[]): Survey => {
  if (names.length === 0) return survey
  const unknown = names.find((name) => !survey.peers.some(({ lease }) => namesOf(lease).includes(name)))
  if (unknown !== undefined)
    throw new CniError(
      ERR_CONFIG,
      `${quote(unknown)} is no peer: ${survey.source} knows none with this key, subnet or address`,
      survey.peers
        .slice(0, 20)
        .map(({ lease }) => namesOf(lease).join(' '))
        .join('\n'),
    )
  return { ...survey, peers: survey.peers.filter(({ lease }) => namesOf(lease).some((name) => names.includes(name))) }
}

const examineAll = async (
  names: readonly string[],
  options: Options,
  kernel: Kernel,
): Promise<{ readonly survey: Survey; readonly diagnoses: readonly Diagnosis[] }> => {
  const progress = openProgress()
  try {
    const survey = options.store === undefined ? await surveyAgent(options.runDir) : surveyFolder(options.store, kernel)
    const chosen = restrict(survey, names)
    return { survey: chosen, diagnoses: await examine(chosen, kernel, progress) }
  } finally {
    progress.done()
  }
}

const ping = async (names: readonly string[], options: Options): Promise<void> => {
  const kernel = openKernel('')
  try {
    const { survey, diagnoses } = await examineAll(names, options, kernel)
    const print = options.json === true ? diagnosesJson : renderDiagnoses
    process.stdout.write(print(diagnoses, survey.source))
    if (diagnoses.some(({ fault }) => fault !== undefined)) process.exitCode = 1
  } finally {
    kernel.close()
  }
}

const HELP = `
A peer is named by its lease's key, its subnet or its public address. RESULT is "ok", or what keeps the peer from being reached:
  LINK        the overlay's device, or the underlay's interface, is missing, down or set otherwise
  ROUTE       no route to the peer's subnet over the device, or another one leads packets away
  NEIGHBOUR   the peer's VTEP address has no neighbour entry, or one with another MAC
  FDB         the VTEP's MAC has no forwarding entry, or one that leads to another node
  TUNNEL      wireguard: the peer's keys, allowed IPs or handshake; ipip: the tunnel's packets are lost
  UNDERLAY    the peer's node does not answer over the underlay
  UDP-PORT    packets of the tunnel are refused or lost there or on the way
  MTU         the path takes only shorter packets than the device sends; measured, with what to set
The exit status is 1 when any peer is not ok.`

export const pingCommand = (): Command =>
  new Command('ping')
    .description('probe peers over the overlay, and say what is at fault where they do not answer')
    .argument('[peers...]', 'all when none is given')
    .option('--run-dir <dir>', "the agent's run directory", process.env['PODWIRE_RUN_DIR'] ?? RUN_FOLDER)
    .option('--store <dir>', 'ask no agent: take the leases from this folder of the file store')
    .option('--json', 'print all findings as JSON')
    .addHelpText('after', HELP)
    .action((names: readonly string[], options: Options) => ping(names, options).catch(giveUp))
