/** The compiled agent with the backends that a cut-down kernel lacks, and pings while things happen to it. */
import { deepEqual, ok } from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { must } from '../support/command.ts'
import { mustIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import { type Cases, say } from './case.ts'
import { hears, killAndRestart, lossDuring, type Member, makeCluster, requireTraffic } from './cluster.bed.ts'
import type { Loss } from './pinger.ts'

const IPV4 = { Network: '10.244.0.0/16' }
const DUAL = { ...IPV4, EnableIPv6: true, IPv6Network: 'fd00::/48' }
const PSK = 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='
const DEVICES = { wireguard: ['flannel-wg', 'flannel-wg-v6'], ipip: ['flannel.ipip'] } as const

const tell = (what: string, { sent, lost, longest }: Loss): void =>
  say(`${what}: ${lost} of ${sent} packets lost, ${longest} ms at most between two answers`)

/** At most the one whose answer was on its way when the ping was ended. */
const requireNoLoss = (loss: Loss): void => ok(loss.lost <= 1, JSON.stringify(loss))

/** Milliseconds in which a software guest mends what was broken. */
const MENDED = 10_000
const requireMended = (loss: Loss): void => ok(loss.longest < MENDED, JSON.stringify(loss))

const wgIn = ({ node }: Member, ...args: readonly string[]): string => mustIn(node.netns, ['wg', 'show', ...args])
const keyIn = (member: Member): string => wgIn(member, 'flannel-wg', 'public-key')
/** Keys of the peers it has, on each of its devices. */
const peersIn = (member: Member): readonly (readonly string[])[] =>
  DEVICES.wireguard.map((dev) => wgIn(member, dev, 'peers').split('\n').filter(Boolean).sort())
const knows = (member: Member, ...others: readonly Member[]): boolean => {
  const keys = others.map(keyIn).sort().join()
  return peersIn(member).every((found) => found.join() === keys)
}

/** Long before the next resync. */
const rotate = (member: Member): void => {
  writeFileSync(`${member.keyFile}.new`, must(['wg', 'genkey']), { mode: 0o600 })
  renameSync(`${member.keyFile}.new`, member.keyFile)
  process.kill(member.agent.pid, 'SIGHUP')
}

const restartAndDelete = (backend: keyof typeof DEVICES, first: Member, second: Member): void => {
  const restart = lossDuring(first, second, () => killAndRestart(first))
  tell(`${backend}, agent killed and started again`, restart)
  requireNoLoss(restart)
  const deletion = lossDuring(first, second, () => {
    for (const dev of DEVICES[backend]) mustIn(second.node.netns, ['ip', 'link', 'del', dev])
  })
  tell(`${backend}, device deleted`, deletion)
  requireMended(deletion)
}

export const agentCases: Cases = {
  'agents with ipip: pods hear each other, through kill -9, and again after the device was deleted': () => {
    const members = makeCluster(2, { ...IPV4, Backend: { Type: 'ipip' } })
    requireTraffic(members, [4])
    restartAndDelete('ipip', members[0] as Member, members[1] as Member)
  },

  'agents with wireguard: pods hear each other, through kill -9, after the device was deleted, with a new key, and not a node that left':
    () => {
      const members = makeCluster(3, { ...DUAL, Backend: { Type: 'wireguard', PSK } })
      const [first, second, third] = members as [Member, Member, Member]
      requireTraffic(members, [4, 6])
      restartAndDelete('wireguard', first, second)

      const old = keyIn(second)
      const rotation = lossDuring(first, second, () => {
        rotate(second)
        ok(waitFor(() => keyIn(second) !== old && knows(first, second, third), MENDED))
      })
      tell('wireguard, new key', rotation)
      requireMended(rotation)
      requireTraffic([second, third], [4, 6])

      third.agent.end()
      rmSync(third.leaseFile)
      ok(waitFor(() => knows(first, second)))
      deepEqual([hears(first, third, 4), hears(first, second, 4)], [false, true])
    },
}
