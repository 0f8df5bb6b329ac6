/** The longest packets that get through unfragmented, found by sending some: nobody has to say what is too long. */
import { familyOf, type Ip } from '../../addr/ip.ts'
import { askEchoes, SMALLEST } from './echo-round.ts'

export interface MtuAsk {
  readonly ip: Ip
  /** Bytes; longer ones are not tried. */
  readonly upTo: number
}

/** Of lengths from `fits`, which gets through, to below `fails`, which does not, the next to try; undefined when the answer is
 *  `fits`. */
export const nextLength = (fits: number, fails: number): number | undefined =>
  fails - fits <= 1 ? undefined : Math.floor((fits + fails) / 2)

interface Search {
  readonly ip: Ip
  fits: number
  fails: number
}

const narrow = async (searches: readonly Search[]): Promise<void> => {
  for (;;) {
    const open = searches.flatMap((search) => {
      const length = nextLength(search.fits, search.fails)
      return length === undefined ? [] : [{ search, length }]
    })
    if (open.length === 0) return
    const answers = await askEchoes(
      open.map(({ search: { ip }, length }) => ({ ip, length })),
      true,
    )
    for (const [i, { search, length }] of open.entries())
      if (answers[i]?.rtt === undefined) search.fails = length
      else search.fits = length
  }
}

/** For each address that answers, the length of the longest IP packet, up to `upTo`, that gets there and back whole; undefined
 *  when not even a short one does. Takes some ten seconds where it is less than `upTo`. */
export const measurePathMtus = async (asks: readonly MtuAsk[]): Promise<readonly (number | undefined)[]> => {
  const ask = (length: (each: MtuAsk) => number) =>
    askEchoes(
      asks.map((each) => ({ ip: each.ip, length: length(each) })),
      true,
    )
  const whole = await ask(({ upTo }) => upTo)
  const short = await ask(({ ip }) => SMALLEST[familyOf(ip)])
  const searches = asks.map(({ ip, upTo }) => ({ ip, fits: SMALLEST[familyOf(ip)], fails: upTo }))
  await narrow(searches.filter((_, i) => whole[i]?.rtt === undefined && short[i]?.rtt !== undefined))
  return asks.map(({ upTo }, i) => {
    if (whole[i]?.rtt !== undefined) return upTo
    return short[i]?.rtt === undefined ? undefined : searches[i]?.fits
  })
}
