/** Traffic control: the messages of `tc qdisc` and `tc filter`, and what the kernel says of them. Rates are bytes per
 *  second, sizes bytes, times ticks of the packet scheduler. linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h,
 *  linux/tc_act/tc_mirred.h. */
import { isNotFound } from './error.ts'
import {
  type Attr,
  type Attrs,
  be16,
  decodeAttrs,
  encodeAttrs,
  type Message,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_ECHO,
  NLM_F_EXCL,
  NLM_F_REQUEST,
  type Received,
  readBe16,
  readText,
  readU16,
  readU32,
  readU64,
  u64,
} from './message.ts'
import type { NetlinkSocket } from './socket.ts'
import { type Tbf, tbfBuffer } from './tbf.ts'

const RTM_NEWQDISC = 36
const RTM_DELQDISC = 37
const RTM_GETQDISC = 38
const RTM_NEWTFILTER = 44
const RTM_GETTFILTER = 46

const TC_H_ROOT = 0xffffffff
const TC_H_INGRESS = 0xfffffff1
const ROOT_HANDLE = 0x10000
const INGRESS_HANDLE = 0xffff0000

const TCA_KIND = 1
const TCA_OPTIONS = 2
const TCA_TBF_PARMS = 1
const TCA_TBF_RATE64 = 4
const TCA_TBF_BURST = 6
const TCA_U32_CLASSID = 1
const TCA_U32_SEL = 5
const TCA_U32_ACT = 7
const TCA_ACT_KIND = 1
const TCA_ACT_OPTIONS = 2
const TCA_MIRRED_PARMS = 2
const TCA_EGRESS_REDIR = 1
const TC_ACT_STOLEN = 4
const TC_U32_TERMINAL = 1
const ETH_P_ALL = 3
const TCMSG_SIZE = 20
const U32_MAX = 0xffffffff

/** Which queue of a link: what leaves it (shaped by TBF), or what enters it (where filters redirect). */
export type QdiscParent = 'root' | 'ingress'

export interface Qdisc {
  /** Index of the link. */
  readonly link: number
  /** `tbf`, `ingress`, `noqueue` ... */
  readonly kind: string
  /** Of a TBF: bytes per second; bytes; ticks that a full bucket lasts. */
  readonly tbf?: { readonly rate: number; readonly limit: number; readonly buffer: number }
}

/** A u32 filter that sends every packet to another link's output. */
export interface Redirect {
  /** Index of the link that packets go to. */
  readonly to: number
}

/** Numbers as u32 in host order, one after the other. */
const words = (numbers: readonly number[]): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4 * numbers.length))
  for (let i = 0; i < numbers.length; i++) view.setUint32(4 * i, numbers[i] ?? 0, true)
  return new Uint8Array(view.buffer)
}

/** struct tcmsg. */
const tcmsg = (link: number, handle: number, parent: number, info = 0): Uint8Array =>
  words([0, link, handle, parent, info])

/** Attributes as tc nests them: without NLA_F_NESTED. */
const nest = (...attrs: readonly Attr[]): Uint8Array => encodeAttrs(attrs)

const NEW = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL

/** struct tc_ratespec: cells of 2^3 bytes, Ethernet, an alignment of -1, as of the rate table that tc sends for kernels before
 *  3.8. With a link layer stated, later ones do not look at the table: it is left out, computing it takes 0.25 ms. */
const RATESPEC = [0x103, 0xffff]
const NO_PEAK_RATE = [0, 0, 0]

/** struct tc_tbf_qopt. */
const tbfOptions = (tbf: Tbf, ticksPerUsec: number): Uint8Array =>
  words([...RATESPEC, Math.min(tbf.rate, U32_MAX), ...NO_PEAK_RATE, tbf.limit, tbfBuffer(tbf, ticksPerUsec), 0])

/** `tc qdisc add dev LINK root handle 1: tbf rate R burst B limit L`. TCA_TBF_BURST states the bucket in bytes, so that a
 *  bucket that lasts longer than 2^32 ticks (275 s) is not cut off. */
export const newTbf = (link: number, tbf: Tbf, ticksPerUsec: number): Message => ({
  type: RTM_NEWQDISC,
  flags: NEW,
  header: tcmsg(link, ROOT_HANDLE, TC_H_ROOT),
  attrs: [
    [TCA_KIND, 'tbf'],
    [
      TCA_OPTIONS,
      nest(
        [TCA_TBF_PARMS, tbfOptions(tbf, ticksPerUsec)],
        [TCA_TBF_BURST, tbf.burst],
        ...(tbf.rate > U32_MAX ? [[TCA_TBF_RATE64, u64(BigInt(tbf.rate))] as const] : []),
      ),
    ],
  ],
})

/** `tc qdisc add dev LINK ingress`. */
export const newIngress = (link: number): Message => ({
  type: RTM_NEWQDISC,
  flags: NEW,
  header: tcmsg(link, INGRESS_HANDLE, TC_H_INGRESS),
  attrs: [[TCA_KIND, 'ingress']],
})

/** `tc qdisc del dev LINK root` or `ingress`. */
export const delQdisc = (link: number, parent: QdiscParent): Message => ({
  type: RTM_DELQDISC,
  flags: NLM_F_REQUEST | NLM_F_ACK,
  header: parent === 'root' ? tcmsg(link, 0, TC_H_ROOT) : tcmsg(link, INGRESS_HANDLE, TC_H_INGRESS),
  attrs: parent === 'root' ? [] : [[TCA_KIND, 'ingress']],
})

/** struct tc_u32_sel with one key, struct tc_u32_key, that matches everything. */
const matchAll = (): Uint8Array => words([TC_U32_TERMINAL | (1 << 16), 0, 0, 0, 0, 0, 0, 0])

const redirectAction = (to: number): Attr => [
  TCA_U32_ACT,
  nest([
    1,
    nest(
      [TCA_ACT_KIND, 'mirred'],
      [TCA_ACT_OPTIONS, [[TCA_MIRRED_PARMS, words([0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to])]]],
    ),
  ]),
]

/** `tc filter add dev LINK parent ffff: protocol all prio 1 u32 match u32 0 0 flowid 1:1 action mirred egress redirect dev TO`. */
export const newRedirect = (link: number, to: number): Message => ({
  type: RTM_NEWTFILTER,
  flags: NEW,
  header: tcmsg(link, 0, INGRESS_HANDLE, u16OverBe16(1, ETH_P_ALL)),
  attrs: [
    [TCA_KIND, 'u32'],
    [TCA_OPTIONS, nest([TCA_U32_CLASSID, 0x10001], redirectAction(to), [TCA_U32_SEL, matchAll()])],
  ],
})

/** tcm_info of a filter: priority above, protocol in network order below. */
const u16OverBe16 = (priority: number, protocol: number): number => (priority << 16) | readU16(be16(protocol))

const EMPTY = new Uint8Array(0)
const nested = (attrs: Attrs, type: number): Attrs => decodeAttrs(attrs.get(type) ?? EMPTY)

const decodeTbf = (options: Attrs): NonNullable<Qdisc['tbf']> => {
  const parms = options.get(TCA_TBF_PARMS) ?? EMPTY
  const rate = options.has(TCA_TBF_RATE64) ? Number(readU64(options.get(TCA_TBF_RATE64))) : readU32(parms.subarray(8))
  return { rate, limit: readU32(parms.subarray(24)), buffer: readU32(parms.subarray(28)) }
}

const decodeQdisc = ({ body }: Received): Qdisc => {
  const attrs = decodeAttrs(body.subarray(TCMSG_SIZE))
  const kind = readText(attrs.get(TCA_KIND))
  const link = readU32(body.subarray(4))
  return kind === 'tbf' ? { link, kind, tbf: decodeTbf(nested(attrs, TCA_OPTIONS)) } : { link, kind }
}

/** The root or ingress qdisc of the link with index `link`; undefined when there is none, or only the kernel's default.
 *  One link is asked, not all dumped. @throws NetlinkError */
export const getQdisc = (socket: NetlinkSocket, link: number, parent: QdiscParent): Qdisc | undefined => {
  try {
    const [received] = socket.request('tc qdisc show', {
      type: RTM_GETQDISC,
      // answered by a notification, which the asker gets only if it wants an echo
      flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO,
      header: tcmsg(link, 0, parent === 'root' ? TC_H_ROOT : TC_H_INGRESS),
      attrs: [],
    })
    return received === undefined ? undefined : decodeQdisc(received)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

const decodeRedirect = ({ body }: Received): Redirect | undefined => {
  const attrs = decodeAttrs(body.subarray(TCMSG_SIZE))
  const options = nested(attrs, TCA_OPTIONS)
  const action = nested(nested(options, TCA_U32_ACT), 1)
  const parms = nested(action, TCA_ACT_OPTIONS).get(TCA_MIRRED_PARMS)
  const isAll = readBe16(body.subarray(16)) === ETH_P_ALL && readText(attrs.get(TCA_KIND)) === 'u32'
  const matches = (options.get(TCA_U32_SEL) ?? EMPTY).subarray(16, 24).every((byte) => byte === 0)
  if (!isAll || !matches || parms === undefined || readU32(parms.subarray(20)) !== TCA_EGRESS_REDIR) return undefined
  return { to: readU32(parms.subarray(24)) }
}

/** The filters on what enters the link with index `link` that redirect everything. @throws NetlinkError */
export const getRedirects = (socket: NetlinkSocket, link: number): Redirect[] =>
  socket
    .request('tc filter show', {
      type: RTM_GETTFILTER,
      flags: NLM_F_REQUEST | NLM_F_DUMP,
      header: tcmsg(link, 0, INGRESS_HANDLE),
      attrs: [],
    })
    .map(decodeRedirect)
    .filter((redirect) => redirect !== undefined)
