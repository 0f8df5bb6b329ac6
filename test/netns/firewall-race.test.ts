/** firewall: many containers of one bridge come and go at once. */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/cleanup.ts'
import { makeNetns, mustIn, shellIn } from '../support/netns.ts'
import { binDir } from '../support/plugin.ts'

const COUNT = 16

const confOf = (i: number, backend: string): string =>
  JSON.stringify({
    cniVersion: '1.1.0',
    name: 'net',
    type: 'firewall',
    backend,
    ingressPolicy: i % 2 === 0 ? 'isolated' : 'same-bridge',
    prevResult: {
      interfaces: [{ name: 'br0' }, { name: `veth${i}` }, { name: 'eth0', sandbox: '/ns' }],
      ips: [{ address: `10.0.0.${i + 1}/24`, interface: 2 }],
    },
  })

/** Runs `VERB CONTAINER` calls at once; what failed, with its output. */
const atOnce = (
  node: string,
  folder: string,
  calls: readonly (readonly [verb: string, container: number])[],
): string => {
  const environment = `CNI_NETNS=/run/netns/pw-gone CNI_IFNAME=eth0 CNI_PATH=${binDir()}`
  const lines = calls.map(
    ([verb, i]) =>
      `( CNI_COMMAND=${verb} CNI_CONTAINERID=c${i} ${environment} ${binDir()}/firewall < ${folder}/${i} > ${folder}/${i}.out || { echo ${verb} c${i}; cat ${folder}/${i}.out; } ) &`,
  )
  return mustIn(node, ['sh', '-c', `${lines.join('\n')}\nwait`])
}

test.for(['nftables', 'iptables'] as const)(
  '%s: the policy of a bridge is there as long as an attachment is',
  (backend) => {
    const node = makeNetns('fw-race')
    const folder = makeFolder('race')
    const all = Array.from({ length: COUNT }, (_, i) => i)
    for (const i of all) writeFileSync(`${folder}/${i}`, confOf(i, backend))
    const half = (odd: number) => all.filter((i) => Math.floor(i / 2) % 2 === odd)
    expect(
      atOnce(
        node,
        folder,
        half(0).map((i) => ['ADD', i]),
      ),
    ).toBe('')
    for (let round = 0; round < 4; round++) {
      const [going, coming] = [half(round % 2), half((round + 1) % 2)]
      const calls = going.flatMap(
        (i, at) =>
          [
            ['DEL', i],
            ['ADD', coming[at] ?? 0],
          ] as const,
      )
      expect(atOnce(node, folder, calls)).toBe('')
      expect(
        atOnce(
          node,
          folder,
          coming.map((i) => ['CHECK', i]),
        ),
      ).toBe('')
    }
    expect(
      atOnce(
        node,
        folder,
        all.map((i) => ['DEL', i]),
      ),
    ).toBe('')
    const left = shellIn(node, 'nft list ruleset')
    expect([left.includes('10.0.0.'), left.includes('"br0"'), left.includes('CNI-FW-')]).toEqual([false, false, false])
  },
)
