/** Taking published ports back, and the UDP flows that they led. */
import { addressOf, type Cidr, cidrFamily } from '../../addr/cidr.ts'
import { type Family, parseIp } from '../../addr/ip.ts'
import type { AttachmentId } from '../../cni/plugin.ts'
import { runAll } from '../../cni/steps.ts'
import { flushPod, flushWithdrawn, type UdpPort } from '../../kernel/conntrack.ts'
import { iptablesOperations } from '../../kernel/iptables.ts'
import { staleIptables } from '../../kernel/iptables-gc.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { nftOperations } from '../../kernel/nft.ts'
import { type Entry, removeOwned, sweepNft, tablesNamed } from '../../kernel/nft-owned.ts'
import type { Owner } from '../../kernel/owner.ts'
import { setOf } from '../../netfilter/statement.ts'
import { decodeFields } from '../../netfilter/value.ts'
import type { Mapping, PortmapConf } from './conf.ts'
import { HOSTPORT_TABLE, SETS, TABLE_NAME } from './hostport-table.ts'
import { iptablesChains } from './iptables.ts'
import { mappingsOf, nftFact } from './nftables.ts'
import { targetsOf } from './plan.ts'

const FAMILIES = [4, 6] as const

const tables = (kernel: Kernel) =>
  tablesNamed(kernel, 'node', 'inet', TABLE_NAME).map((name) =>
    name === TABLE_NAME ? HOSTPORT_TABLE : { ...HOSTPORT_TABLE, name },
  )

/** The mapping's UDP port; `pod` is where it leads. */
export const udpPort = ({ hostPort, hostIP, containerPort }: Mapping, family: Family, pod?: Cidr): UdpPort => ({
  family,
  port: hostPort,
  ...(hostIP === undefined ? {} : { hostIP }),
  ...(pod === undefined ? {} : { pod: { address: addressOf(pod), port: containerPort } }),
})

/** UDP ports of the mappings, each with the pod's address of its family. */
export const udpPorts = (mappings: readonly Mapping[], addresses: readonly Cidr[]): UdpPort[] =>
  targetsOf(addresses).flatMap((pod) =>
    mappingsOf(mappings, cidrFamily(pod))
      .filter(({ protocol }) => protocol === 'udp')
      .map((mapping) => udpPort(mapping, cidrFamily(pod), pod)),
  )

const familyOfMap = (set: string): Family | undefined =>
  FAMILIES.find((family) => [SETS[family].ports, SETS[family].addressed].some((name) => name === set))

/** The UDP port that an element of a map published, from its key and data; undefined for any other element. */
const publishedBy = ({ set, specs: [spec] }: Entry): UdpPort | undefined => {
  const family = familyOfMap(set)
  if (family === undefined || !(spec?.data instanceof Uint8Array)) return undefined
  const { key, data } = setOf(HOSTPORT_TABLE, set)
  if (data === undefined || data === 'verdict') return undefined
  const [port, protocol, hostIP] = decodeFields(key, spec.key).reverse()
  const [address, podPort] = decodeFields(data, spec.data)
  if (protocol !== 'udp') return undefined
  const pod = { address: parseIp(String(address)), port: Number(podPort) }
  return { family, port: Number(port), pod, ...(hostIP === undefined ? {} : { hostIP: parseIp(String(hostIP)) }) }
}

const flush = (kernel: Kernel, ports: readonly UdpPort[]): void => {
  for (const port of ports) flushWithdrawn(kernel, 'node', port)
}

/** Forgets the UDP flows that removed elements had led. */
const forgetFlows = (gone: readonly Entry[], kernel: Kernel): void =>
  flush(
    kernel,
    gone.map(publishedBy).filter((port) => port !== undefined),
  )

/** By key, where mappings and addresses are known. */
const removeByKey = (conf: PortmapConf, owner: Owner, addresses: readonly Cidr[], kernel: Kernel): void => {
  for (const table of tables(kernel)) nftOperations.remove(nftFact(conf, owner, addresses, table), kernel)
}

/** By owner: whatever is the attachment's. Its flows are those of the elements found. */
const removeByOwner = (owner: Owner, kernel: Kernel): void => {
  for (const table of tables(kernel)) {
    forgetFlows(removeOwned(kernel, 'node', table, owner), kernel)
  }
}

/** Flows of an attachment whose addresses are not known: all that the ports had translated. */
const portsAnywhere = ({ mappings }: PortmapConf): UdpPort[] =>
  FAMILIES.flatMap((family) =>
    mappingsOf(mappings, family)
      .filter(({ protocol }) => protocol === 'udp')
      .map((mapping) => udpPort(mapping, family)),
  )

/** Forgets the attachment's UDP flows by what is known of it: addresses and ports, addresses, or ports. By ports alone
 *  only for iptables: the elements of nftables have told themselves where they led. */
const forget = (conf: PortmapConf, targets: readonly Cidr[], kernel: Kernel): void => {
  if (targets.length === 0) flush(kernel, conf.backend === 'iptables' ? portsAnywhere(conf) : [])
  else if (conf.mappings.length === 0) for (const pod of targets) flushPod(kernel, 'node', addressOf(pod))
  else flush(kernel, udpPorts(conf.mappings, targets))
}

/** DEL: takes back what `owner` published with either backend, also what the reference plugin made. Needs neither mappings
 *  nor addresses. @throws CniError all failures */
export const withdraw = (conf: PortmapConf, owner: Owner, addresses: readonly Cidr[], kernel: Kernel): void => {
  const targets = targetsOf(addresses)
  const isKnown = targets.length > 0 && conf.mappings.length > 0
  runAll(
    () => (isKnown ? removeByKey(conf, owner, targets, kernel) : removeByOwner(owner, kernel)),
    ...iptablesChains(owner).map((fact) => () => iptablesOperations.remove(fact, kernel)),
    () => forget(conf, targets, kernel),
  )
}

/** GC: takes back what attachments of `network` published that are not in `valid`. @throws CniError all failures */
export const sweep = (network: string, valid: readonly AttachmentId[], kernel: Kernel): void =>
  runAll(
    ...tables(kernel).map((table) => () => forgetFlows(sweepNft(kernel, 'node', table, network, valid), kernel)),
    ...FAMILIES.map((family) => () => {
      for (const fact of staleIptables({ ns: 'node', family, table: 'nat' }, network, valid, kernel))
        iptablesOperations.remove(fact, kernel)
    }),
  )
