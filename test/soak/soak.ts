/** An idle agent over time: processor and memory, sampled, and whether they stay what they are. */

import { makeFleet } from '../bench/fleet.ts'
import { cpuSecondsOf, rssOf } from '../bench/process.ts'
import { median } from '../bench/statistics.ts'
import { type Agent, startAgent, untilReady } from '../support/agent.ts'
import { makeUnderlay } from '../support/underlay.ts'

export interface Sample {
  /** Seconds since the agent was ready. */
  readonly at: number
  readonly rssMiB: number
  /** Percent of one core since the sample before. */
  readonly cpuPercent: number
}

export interface Verdict {
  readonly samples: number
  /** Percent of one core, over the whole time. */
  readonly cpuPercent: number
  /** Median of the first and of the last quarter of the samples. */
  readonly firstMiB: number
  readonly lastMiB: number
}

/** An agent with `peers` peers that has been ready for `settleMs`, so that what starting took has been given back. */
export const startIdle = async (peers: number, settleMs: number): Promise<Agent> => {
  const netns = makeUnderlay(1, 'soak').nodes[0]?.netns ?? ''
  const { folder } = makeFleet(peers)
  const agent = startAgent({ netns, args: ['--store', 'file', '--store-dir', folder, '--iface', 'eth0'] })
  untilReady(agent, (status) => status.peers.length === peers)
  await pause(settleMs)
  return agent
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Samples every `everyMs` for `forMs`, each told to `tell`. */
export const watch = async (
  { pid }: Agent,
  { everyMs, forMs }: { readonly everyMs: number; readonly forMs: number },
  tell: (sample: Sample) => void = () => undefined,
): Promise<readonly Sample[]> => {
  const start = performance.now()
  const samples: Sample[] = []
  let [last, cpu] = [start, cpuSecondsOf(pid)]
  while (performance.now() - start < forMs) {
    await pause(everyMs)
    const [now, seconds] = [performance.now(), cpuSecondsOf(pid)]
    const cpuPercent = ((seconds - cpu) / ((now - last) / 1000)) * 100
    const sample = { at: (now - start) / 1000, rssMiB: rssOf(pid), cpuPercent }
    samples.push(sample)
    tell(sample)
    ;[last, cpu] = [now, seconds]
  }
  return samples
}

export const verdictOf = (samples: readonly Sample[]): Verdict => {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const memory = (part: readonly Sample[]): number => median(part.map(({ rssMiB }) => rssMiB))
  return {
    samples: samples.length,
    cpuPercent: samples.reduce((sum, sample) => sum + sample.cpuPercent, 0) / samples.length,
    firstMiB: memory(samples.slice(0, quarter)),
    lastMiB: memory(samples.slice(-quarter)),
  }
}
