/** What stock `nft` sends for a text, from its own transcript (`nft --debug=mnl`), and netlink messages as lines to compare. */
import { decodeAttrList, type Received, readText } from '../../../netlink/message.ts'

const NLA_F_NESTED = 0x8000
const ESCAPE = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g')

interface Draft {
  readonly length: number
  type: number
  readonly bytes: number[]
}

const HEADER = /^\|\s+(\d{10})\s+\|\s+\| message length/
const TYPE = /^\| (\d{5}) \| .{4} \|\s+\| {2}type/
const ATTRIBUTE = /^\|(\d{5})\|(..)\|(\d{5})\|/
const BYTES = /^\|((?: [0-9a-f]{2}){4}) {2}\|/

const read = (line: string, drafts: Draft[]): void => {
  const length = HEADER.exec(line)?.[1]
  if (length !== undefined) drafts.push({ length: Number(length), type: 0, bytes: [] })
  const last = drafts.at(-1)
  if (last === undefined) return
  const type = TYPE.exec(line)?.[1]
  if (type !== undefined) last.type = Number(type)
  const [, size, flags = '', attribute] = ATTRIBUTE.exec(line) ?? []
  if (size !== undefined) {
    const kind = Number(attribute) | (flags.includes('N') ? NLA_F_NESTED : 0)
    last.bytes.push(Number(size) & 0xff, Number(size) >> 8, kind & 0xff, kind >> 8)
  }
  const bytes = BYTES.exec(line)?.[1]
  if (bytes !== undefined)
    last.bytes.push(
      ...bytes
        .trim()
        .split(' ')
        .map((byte) => Number.parseInt(byte, 16)),
    )
}

/** The messages in the transcript, requests for what is there already left out. */
export const parseTranscript = (text: string): Received[] => {
  const drafts: Draft[] = []
  for (const line of text.replaceAll(ESCAPE, '').split('\n')) read(line, drafts)
  return drafts.map(({ type, length, bytes }) => ({
    type,
    flags: 0,
    seq: 0,
    body: Uint8Array.from(bytes.slice(0, length - 16)),
  }))
}

const NAMES: Readonly<Record<number, string>> = {
  0: 'NEWTABLE',
  3: 'NEWCHAIN',
  6: 'NEWRULE',
  9: 'NEWSET',
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
const text = (bytes: Uint8Array): string => {
  const shown = String.fromCharCode(...bytes.subarray(0, -1))
  return bytes.length > 2 && /^[\w. ,:/-]+$/.test(shown) && bytes.at(-1) === 0 ? `  # ${shown}` : ''
}

/** Attributes, one a line, nested ones below and further in. */
const attributeLines = (bytes: Uint8Array, indent: string): string[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  return decodeAttrList(bytes).flatMap(([type, value]) => {
    const isNested = (view.getUint16(at + 2, true) & NLA_F_NESTED) !== 0
    at += (value.length + 7) & ~3
    if (isNested) return [`${indent}${type}`, ...attributeLines(value, `${indent}  `)]
    return [`${indent}${type} ${hex(value)}${text(value)}`]
  })
}

const FAMILY_SIZE = 4
const SETELEM = (10 << 8) | 12
const [LIST_SET, LIST_ELEMENTS] = [2, 3]
/** NFTA_LOOKUP_SET_ID, NFTA_DYNSET_SET_ID: which set of the same transaction is meant, where its name says it too. */
const isSetId = (lines: readonly string[], at: number): boolean =>
  (/^ +4 00 00 00 ..$/.test(lines[at] ?? '') && lines.slice(at - 5, at).some((line) => line.includes('# lookup'))) ||
  (/^ +2 00 00 00 ..$/.test(lines[at] ?? '') && lines.slice(at - 7, at - 3).some((line) => line.includes('# dynset')))
/** What `nft` adds for a single byte of an interval key: no byte is swapped. NFTA_BYTEORDER_SIZE 1. */
const NO_SWAP = /^ +1\n +1 62 79 74 65 6f 72 64 65 72 00 {2}# byteorder\n +2\n(?:.*\n){4} +5 00 00 00 01\n/gm

/** One message: its name, nfgenmsg and attributes. */
const messageLines = ({ type, body }: Received): string[] => [
  `${NAMES[type & 0xff] ?? type} ${hex(body.subarray(0, FAMILY_SIZE))}`,
  ...attributeLines(body.subarray(FAMILY_SIZE), '  '),
]

const ruleLines = (message: Received): string[] => {
  const lines = messageLines(message)
  return `${lines.filter((_, at) => !isSetId(lines, at)).join('\n')}\n`.replaceAll(NO_SWAP, '').trimEnd().split('\n')
}

/** An element that ends what no element began: `nft` closes the space below the first interval. */
const isFloor = (element: string): boolean => /^ {4}3 00 00 00 01\n {4}1\n {6}1(?: 00)+$/.test(element)

/** Elements by set, each once: `nft` sends a set of intervals again and again as it grows. */
const elementLines = (messages: readonly Received[]): string[] => {
  const sets = new Map<string, Set<string>>()
  for (const { body } of messages) {
    const attrs = new Map(decodeAttrList(body.subarray(FAMILY_SIZE)))
    const name = readText(attrs.get(LIST_SET))
    const known = sets.get(name) ?? new Set()
    for (const [, value] of decodeAttrList(attrs.get(LIST_ELEMENTS) ?? new Uint8Array(0)))
      known.add(attributeLines(value, '    ').join('\n'))
    sets.set(name, known)
  }
  return [...sets.keys()]
    .sort()
    .flatMap((name) => [
      `NEWSETELEM ${name}`,
      ...[...(sets.get(name) ?? [])].filter((each) => !isFloor(each)).flatMap((each) => ['  element', each]),
    ])
}

const ORDER = [0, 3, 9, 6].map((type) => (10 << 8) | type)

/** Messages of tables, chains, sets, rules and elements, in this order, as one text; without what says nothing: numbers of
 *  sets that are named too, and the order in which elements of different sets are sent. */
export const transcriptOf = (messages: readonly Received[]): string =>
  [
    ...ORDER.flatMap((type) => messages.filter((message) => message.type === type)).flatMap(ruleLines),
    ...elementLines(messages.filter(({ type }) => type === SETELEM)),
    '',
  ].join('\n')
