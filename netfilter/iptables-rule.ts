/** iptables rules as text, in the words of `iptables-save`, and when two of them say the same. iptables(8),
 *  iptables-extensions(8). */
import { hostCidr, lengthOf, networkOf, readCidr } from '../addr/cidr.ts'
import { DecodeError, quote } from '../addr/error.ts'
import { readIp } from '../addr/ip.ts'

/** iptables/xshared.c cuts an argument at 1024 bytes. */
const ARGUMENT_MAX = 1000
const PLAIN = /^[A-Za-z0-9_\-./:,!=+[\]@%]+$/
const CONTROL = /\p{Cc}/u

/** `text` as one argument of a restore script: in double quotes where it needs them.
 *  @throws DecodeError when it could not be one: empty, too long, or holding a control character (a newline would begin
 *  another command) */
export const quoteArgument = (text: string): string => {
  if (text === '' || text.length > ARGUMENT_MAX || CONTROL.test(text))
    throw new DecodeError(
      'iptables rule',
      `${quote(text)} cannot be an argument: 1 to ${ARGUMENT_MAX} characters, none of them a control character`,
    )
  return PLAIN.test(text) ? text : `"${text.replaceAll(/["\\]/g, '\\$&')}"`
}

/** The rule whose arguments are `args`, quoted. @throws DecodeError as `quoteArgument` */
export const ruleOf = (...args: readonly string[]): string => args.map(quoteArgument).join(' ')

const ARGUMENT = /"((?:[^"\\]|\\.)*)"|(\S+)/g

/** The arguments of a rule, quotes and escapes taken off. */
export const argumentsOf = (rule: string): string[] =>
  Array.from(rule.matchAll(ARGUMENT), ([, quoted, plain]) => quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '')

interface Option {
  readonly negated: boolean
  readonly flag: string
  readonly value: string
}

/** Long and older spellings, and what `iptables-save` prints for them. */
const SPELLING: Readonly<Record<string, string>> = {
  '--source': '-s',
  '--src': '-s',
  '--destination': '-d',
  '--dst': '-d',
  '--protocol': '-p',
  '--in-interface': '-i',
  '--out-interface': '-o',
  '--jump': '-j',
  '--goto': '-g',
  '--match': '-m',
  '--destination-port': '--dport',
  '--destination-ports': '--dports',
  '--source-port': '--sport',
  '--source-ports': '--sports',
}

const optionsOf = (rule: string): Option[] => {
  const options: { negated: boolean; flag: string; value: string }[] = []
  let negated = false
  for (const arg of argumentsOf(rule)) {
    const last = options.at(-1)
    if (arg === '!') negated = true
    else if (/^--?[a-z]/.test(arg) || last === undefined) {
      options.push({ negated, flag: SPELLING[arg] ?? arg, value: '' })
      negated = false
    } else last.value = last.value === '' ? arg : `${last.value} ${arg}`
  }
  return options
}

/** The value of `flag` in a rule; undefined when it is not there. */
export const optionOf = (rule: string, flag: string): string | undefined =>
  optionsOf(rule).find((option) => option.flag === flag)?.value

/** The chain or target a rule leads to (-j or -g). */
export const targetOf = (rule: string): string | undefined => optionOf(rule, '-j') ?? optionOf(rule, '-g')

const prefixText = (value: string): string => {
  const address = readIp(value)
  const prefix = address === undefined ? readCidr(value) : hostCidr(address)
  return prefix === undefined ? value : networkOf(prefix)
}

const normalValue = ({ flag, value }: Option): string => {
  if (flag === '-s' || flag === '-d') return prefixText(value)
  if (flag === '-p') return value.toLowerCase()
  return flag === '--ctstate' ? value.split(',').sort().join(',') : value
}

/** `-m` names a module that its options imply; an address of length 0 matches all and is not printed. */
const isSilent = ({ flag, value, negated }: Option): boolean => {
  if (flag === '-m') return true
  const prefix = flag === '-s' || flag === '-d' ? readCidr(value) : undefined
  return prefix !== undefined && !negated && lengthOf(prefix) === 0
}

/** Text that is equal for two rules exactly when they say the same in different spelling or order of options; with
 *  `anyComment` also when their comments differ. */
export const ruleKey = (rule: string, anyComment = false): string =>
  optionsOf(rule)
    .filter((option) => !isSilent(option) && !(anyComment && option.flag === '--comment'))
    .map((option) => `${option.negated ? '! ' : ''}${option.flag} ${normalValue(option)}`)
    .sort()
    .join('\n')
