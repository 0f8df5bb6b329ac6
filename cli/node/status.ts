/** `podwire node status`: what this node's agent knows and has done. */
import { Command } from 'commander'
import type { AgentStatus } from '../../agent/status.ts'
import { failureOf } from '../../cni/failure.ts'
import { giveUp, renderError } from '../screen.ts'
import { askAgent, RUN_FOLDER } from './agent-socket.ts'
import { observeRemains } from './remains.ts'
import { renderRemains, renderStatus } from './status-text.ts'

interface Options {
  readonly runDir: string
  readonly subnetFile: string
  readonly json?: boolean
}

const asJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Without an agent: why, and what the node shows of itself. Status 1. */
const showRemains = ({ subnetFile, json }: Options, error: unknown): void => {
  const failure = failureOf(error)
  const remains = observeRemains(subnetFile)
  process.stderr.write(renderError(failure))
  process.stdout.write(json ? asJson({ agent: null, why: failure.message, ...remains }) : renderRemains(remains))
  process.exitCode = 1
}

const showStatus = async (options: Options): Promise<void> => {
  try {
    const status = await askAgent<AgentStatus>(options.runDir, '/status')
    process.stdout.write(options.json ? asJson(status) : renderStatus(status, Date.now()))
  } catch (error) {
    showRemains(options, error)
  }
}

const HELP = `
REACHABLE says whether the peer answered the last probe over the overlay (podwire node ping says why not).
DRIFT is what the agent found other than planned in the kernel: missing, different or stale, and mended.
Without an agent the exit status is 1, and what the kernel and subnet.env show is printed.`

export const statusCommand = (): Command =>
  new Command('status')
    .description("this node's lease, its peers and whether they answer, what was mended")
    .option('--run-dir <dir>', "the agent's run directory", process.env['PODWIRE_RUN_DIR'] ?? RUN_FOLDER)
    .option('--subnet-file <file>', 'read when there is no agent', '/run/flannel/subnet.env')
    .option('--json', 'print all there is as JSON')
    .addHelpText('after', HELP)
    .action((options: Options) => showStatus(options).catch(giveUp))
