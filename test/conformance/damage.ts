/** Ways to damage what a plugin made, shared by the plugins they fit. None knows how an implementation names its objects:
 *  what is removed is what was not there before ADD. */
import { writeFileSync } from 'node:fs'
import type { Bed } from './bed.ts'
import { demand } from './outcome.ts'
import { mustRun } from './process.ts'
import type { Drift, Place } from './profile.ts'
import type { Json } from './version.ts'

const script =
  (netns: 'node' | 'pod', text: (place: Place) => string): Drift['damage'] =>
  async (place) => {
    await place.bed.shell(text(place), netns === 'pod' ? place.pod.netns : undefined)
    return undefined
  }

/** A damage done by commands in the pod. */
export const inPod = (what: string, text: (place: Place) => string): Drift => ({ what, damage: script('pod', text) })
/** A damage done by commands in the node. */
export const inNode = (what: string, text: (place: Place) => string): Drift => ({ what, damage: script('node', text) })

const ruleset = async (bed: Bed): Promise<Json[]> => {
  const { stdout } = await bed.exec(['nft', '-j', '-a', 'list', 'ruleset'])
  return stdout.trim() === '' ? [] : (JSON.parse(stdout) as { nftables: Json[] }).nftables
}

const ruleKey = ({ family, table, chain, handle }: Json): string => `${family} ${table} ${chain} ${handle}`

const rulesOf = (objects: readonly Json[]): Json[] =>
  objects.flatMap(({ rule }) => (rule === undefined ? [] : [rule as Json]))

/** For `Place.rulesBefore`. */
export const ruleKeys = async (bed: Bed): Promise<ReadonlySet<string>> =>
  new Set(rulesOf(await ruleset(bed)).map(ruleKey))

interface Element {
  readonly set: Json
  readonly element: unknown
}

const elementsOf = (objects: readonly Json[]): Element[] =>
  objects.flatMap((object) => {
    const set = (object['set'] ?? object['map']) as Json | undefined
    return ((set?.['elem'] ?? []) as unknown[]).map((element) => ({ set: set ?? {}, element }))
  })

/** The key of an element, which in a map is the first of a pair, and may be wrapped to carry a comment. */
const keyOf = (set: Json, element: unknown): unknown => {
  const first = set['map'] !== undefined && Array.isArray(element) ? element[0] : element
  const wrapped = (first as Json | null)?.['elem'] as Json | undefined
  return wrapped?.['val'] ?? first
}

const lineOf = (element: unknown): string => JSON.stringify(element)

/** What ADD put into nftables, as requests that delete it, elements first. */
const deletions = async ({ bed, rulesBefore, before }: Place): Promise<Json[]> => {
  const objects = await ruleset(bed)
  const rules = rulesOf(objects).filter((rule) => !rulesBefore.has(ruleKey(rule)))
  const known = before.filter((line) => line.startsWith('nft {"element"')).join('\n')
  const elements = elementsOf(objects).filter(({ element }) => !known.includes(lineOf(element)))
  return [
    ...elements.map(({ set: { family, table, name, ...set }, element }) => ({
      delete: { element: { family, table, name, elem: [keyOf(set, element)] } },
    })),
    ...rules.map(({ family, table, chain, handle }) => ({ delete: { rule: { family, table, chain, handle } } })),
  ]
}

const remove = async ({ bed }: Place, requests: readonly Json[]): Promise<undefined> => {
  demand(requests.length > 0, 'ADD put nothing into nftables')
  const file = `${bed.folder}/.requests` // nft cannot open the socket that is a child's stdin
  writeFileSync(file, JSON.stringify({ nftables: requests }))
  await bed.shell(`nft -j -f ${file}`)
  return undefined
}

export const allRulesGone: Drift = {
  what: 'all its rules and elements gone',
  damage: async (place) => remove(place, await deletions(place)),
}

export const oneRuleGone: Drift = {
  what: 'one of its rules or elements gone',
  damage: async (place) => remove(place, (await deletions(place)).slice(-1)),
}

const ipOf = ({ facts }: Place): string => facts.ips[0]?.address ?? ''

export const linkGone = inPod('interface gone', ({ ifName }) => `ip link del ${ifName}`)
export const linkDown = inPod('interface down', ({ ifName }) => `ip link set ${ifName} down`)
export const addressGone = inPod('address gone', (place) => `ip addr del ${ipOf(place)} dev ${place.ifName}`)
export const routeGone = inPod('route gone', () => 'ip route del default')
export const macWrong = inPod('MAC changed', ({ ifName }) => `ip link set ${ifName} address 02:00:00:00:99:99`)
/** The file that holds the reservation, wherever it is: named by the address. */
export const reservationGone: Drift = {
  what: 'reservation gone',
  damage: async ({ bed, facts }) => {
    const ip = facts.ips[0]?.address.split('/')[0] ?? ''
    await mustRun(['sh', '-euc', `rm ${bed.folder}/ipam/net/${ip}`])
    return undefined
  },
}
export const reservationTaken: Drift = {
  what: 'reservation held by another container',
  damage: async ({ bed, facts }) => {
    const ip = facts.ips[0]?.address.split('/')[0] ?? ''
    await mustRun(['sh', '-euc', `printf 'another\\r\\neth0' > ${bed.folder}/ipam/net/${ip}`])
    return undefined
  },
}
