/** The compiled agent with wireguard, and pings while things befall it. */
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { must } from '../support/command.ts'
import { mustIn } from '../support/netns.ts'
import { waitFor } from '../support/probe.ts'
import type { Cases } from './case.ts'
import { hears, type Member, makeCluster, requireTraffic } from './cluster.bed.ts'
import { requireMended, restartAndDelete } from './loss.ts'

const DUAL = { Network: '10.244.0.0/16', EnableIPv6: true, IPv6Network: 'fd00::/48' }
const PSK = 'IKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKA='
const DEVICES = ['flannel-wg', 'flannel-wg-v6']

const wgIn = ({ node }: Member, ...args: readonly string[]): string => mustIn(node.netns, ['wg', 'show', ...args])
const keyIn = (member: Member): string => wgIn(member, 'flannel-wg', 'public-key')
/** Keys of the peers it has, on each of its devices. */
const peersIn = (member: Member): readonly (readonly string[])[] =>
  DEVICES.map((dev) => wgIn(member, dev, 'peers').split('\n').filter(Boolean).sort())
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

/** What `--cleanup` says that it did. */
const cleanUp = ({ node, agent: { folder, subnetFile } }: Member): string => {
  const paths = ['--run-dir', `${folder}/run`, '--state-dir', `${folder}/state`, '--subnet-file', subnetFile]
  return mustIn(node.netns, [`${import.meta.dirname}/../../dist/podwire`, 'agent', '--cleanup', ...paths])
}

export const agentCases: Cases = {
  'agents with wireguard: pods hear each other, through kill -9, after the device was deleted, with a new key, and not a node that left; --cleanup leaves no device':
    () => {
      const members = makeCluster(3, { ...DUAL, Backend: { Type: 'wireguard', PSK } })
      const [first, second, third] = members as [Member, Member, Member]
      requireTraffic(members, [4, 6])
      restartAndDelete('wireguard', DEVICES, first, second)

      const old = keyIn(second)
      requireMended('wireguard, new key', first, second, () => {
        rotate(second)
        ok(waitFor(() => keyIn(second) !== old && knows(first, second, third), 30_000))
      })
      requireTraffic([second, third], [4, 6])

      third.agent.end()
      rmSync(third.leaseFile)
      ok(waitFor(() => knows(first, second), 30_000))
      deepEqual([hears(first, third, 4), hears(first, second, 4)], [false, true])
      match(cleanUp(third), /^ip link del flannel-wg\nip link del flannel-wg-v6\n/)
      equal(mustIn(third.node.netns, ['wg', 'show', 'interfaces']), '')
    },
}
