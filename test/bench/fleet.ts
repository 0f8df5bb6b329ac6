/** A store folder with the leases of many nodes, and one real node whose agent reads it. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'

/** Room for 65,000 subnets of /24. */
const NETWORK = '10.0.0.0/8'
/** The subnets of peers begin at 10.16.0.0, past those a new node is given. */
const FIRST_SUBNET = 16 * 256

export interface Fleet {
  /** `--store-dir`. */
  readonly folder: string
}

const byte = (n: number, shift: number): number => (n >> shift) & 255

/** Network address of peer `i`'s subnet. */
export const subnetOf = (i: number): string => {
  const n = FIRST_SUBNET + i
  return `10.${byte(n, 8)}.${byte(n, 0)}.0`
}

const hex = (n: number): string => n.toString(16).padStart(2, '0')

/** As flanneld writes it (pkg/lease LeaseAttrs); addresses of peers are of the block for benchmarks, RFC 2544. */
const leaseOf = (i: number): string =>
  JSON.stringify({
    PublicIP: `198.18.${byte(i + 1, 8)}.${byte(i + 1, 0)}`,
    PublicIPv6: null,
    BackendType: 'vxlan',
    BackendData: { VNI: 1, VtepMAC: `0e:00:00:${hex(byte(i, 16))}:${hex(byte(i, 8))}:${hex(byte(i, 0))}` },
  })

const pathOf = (folder: string, i: number): string => `${folder}/subnets/${subnetOf(i)}-24.json`

/** Peer `i` joins: its lease is written beside and renamed, so that nobody reads half of it. */
export const join = ({ folder }: Fleet, i: number): void => {
  const draft = `${folder}/draft`
  writeFileSync(draft, leaseOf(i))
  renameSync(draft, pathOf(folder, i))
}

export const leave = ({ folder }: Fleet, i: number): void => rmSync(pathOf(folder, i))

/** A store with `count` peers. */
export const makeFleet = (count: number): Fleet => {
  const folder = makeFolder('bench-fleet')
  mkdirSync(`${folder}/subnets`)
  writeFileSync(`${folder}/config.json`, JSON.stringify({ Network: NETWORK, Backend: { Type: 'vxlan' } }))
  for (let i = 0; i < count; i++) writeFileSync(pathOf(folder, i), leaseOf(i))
  return { folder }
}
