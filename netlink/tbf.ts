/** The arithmetic of a token bucket filter, as tc-tbf(8) and sch_tbf.c define it. */

export interface Tbf {
  /** Bytes per second, at least 1. */
  readonly rate: number
  /** Bytes that may go out at once. */
  readonly burst: number
  /** Bytes that may wait: with those of a full bucket. */
  readonly limit: number
}

const USEC_PER_SEC = 1e6
const U32 = 2 ** 32
/** The filter of a bandwidth in bits per second and bits, in which a packet waits no longer than `latency` ms. */
export const tbfOf = (rateBits: number, burstBits: number, latency: number): Tbf => {
  const rate = Math.floor(rateBits / 8)
  const burst = Math.floor(burstBits / 8)
  return { rate, burst, limit: Math.min(Math.floor((rate * latency) / 1e3) + burst, U32 - 1) }
}

/** Ticks of a microsecond, from the text of /proc/net/psched: ticks to and from microseconds and clock resolution, hex. */
export const ticksPerUsecOf = (psched: string): number => {
  const [t2us = 0, us2t = 1, resolution = 0] = psched.split(' ').map((word) => Number.parseInt(word, 16))
  return (t2us / us2t) * (resolution / USEC_PER_SEC)
}

/** Ticks that `size` bytes take at `rate` bytes per second, of whole microseconds, as tc computes them; below 2^32. */
const ticksOf = (rate: number, size: number, ticksPerUsec: number): number =>
  Math.floor(Math.floor(USEC_PER_SEC * (size / rate)) * ticksPerUsec) % U32

/** tc_tbf_qopt.buffer as tc sends it. The kernel goes by TCA_TBF_BURST instead. */
export const tbfBuffer = ({ rate, burst }: Tbf, ticksPerUsec: number): number =>
  ticksOf(Math.min(rate, U32 - 1), burst, ticksPerUsec)

/** True when `buffer`, ticks that a full bucket lasts modulo 2^32, is that of `tbf`, whoever set it: upstream's bandwidth
 *  plugin gives whole microseconds, the kernel multiplies bytes by a factor of 31 bits. */
export const isBufferOf = ({ rate, burst }: Tbf, buffer: number, ticksPerUsec: number): boolean => {
  const exact = USEC_PER_SEC * (burst / rate) * ticksPerUsec
  const apart = (((exact - buffer) % U32) + U32) % U32
  return Math.min(apart, U32 - apart) <= ticksPerUsec + 2 + exact / 2 ** 30
}
