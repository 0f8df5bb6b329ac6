/** Markdown as far as its examples go. */
import { readFileSync } from 'node:fs'

export interface Block {
  /** What follows the opening fence: `console`, `json`, `json planned` ... */
  readonly info: string
  readonly text: string
  /** Of the opening fence, from 1. */
  readonly line: number
}

const FENCE = /^```(.*)\n([\s\S]*?)^```$/gm

/** The fenced blocks of a Markdown text, in order. */
export const blocksOf = (markdown: string): readonly Block[] =>
  [...markdown.matchAll(FENCE)].map(({ 1: info = '', 2: text = '', index }) => ({
    info: info.trim(),
    text,
    line: markdown.slice(0, index).split('\n').length,
  }))

export const readDocument = (path: string): string => readFileSync(path, 'utf8')

/** One command of a session and the output that is shown under it. */
export interface Shown {
  readonly command: string
  readonly output: readonly string[]
}

const PROMPT = /^[#$] /

/** The commands of a `console` block; a line that ends with `\` goes on in the next. */
export const sessionOf = (text: string): readonly Shown[] => {
  const shown: { command: string; output: string[] }[] = []
  for (const line of text.replaceAll('\\\n', '\\\0').trimEnd().split('\n')) {
    if (PROMPT.test(line)) shown.push({ command: line.slice(2).replaceAll('\0', '\n'), output: [] })
    else shown.at(-1)?.output.push(line)
  }
  return shown
}

/** A line without what differs from run to run: addresses, hashes, numbers, and how far columns are apart. */
const skeletonOf = (line: string): string =>
  line
    .trim()
    .replaceAll(/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, 'MAC')
    .replaceAll(/[0-9a-f]{8,}/g, 'HASH')
    .replaceAll(/\d+(?:\.\d+)?/g, '0')
    .replaceAll(/\s+/g, ' ')

/** The first shown line that the real output does not have in its place; undefined when all are there. */
export const mismatch = (shown: readonly string[], real: readonly string[]): string | undefined => {
  const found = real.map(skeletonOf).filter((line) => line !== '')
  let at = 0
  let isFree = false
  for (const line of shown.filter((text) => text.trim() !== '')) {
    if (line.trim() === '...') {
      isFree = true
      continue
    }
    const next = isFree ? found.indexOf(skeletonOf(line), at) : at
    if (next < 0 || found[next] !== skeletonOf(line)) return line
    at = next + 1
    isFree = false
  }
  return isFree || at === found.length || shown.length === 0
    ? undefined
    : `(end of output, but there is more: ${found[at]})`
}
