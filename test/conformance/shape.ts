/** Whether a printed result has the shape of its version (SPEC.md §5 Success, and the same section of the older releases).
 *  One row per rule: what is wrong is the row's name. */
import { isAtLeast, type Json, type Version } from './version.ts'

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isCidr = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f.:]+\/\d+$/i.test(value)

type Fields = Readonly<Record<string, (value: unknown) => boolean>>

const ROUTE: Fields = { dst: isCidr, gw: isText }
const NEW_ROUTE: Fields = {
  ...ROUTE,
  ...Object.fromEntries(['mtu', 'advmss', 'priority', 'table', 'scope'].map((key) => [key, Number.isInteger])),
}
const INTERFACE: Fields = { name: isText, mac: isText, sandbox: (value) => typeof value === 'string' }
const NEW_INTERFACE: Fields = { ...INTERFACE, mtu: Number.isInteger, socketPath: isText, pciID: isText }
const IP: Fields = { address: isCidr, gateway: isText, interface: Number.isInteger }
const OLD_IP: Fields = { ...IP, version: (value) => value === '4' || value === '6' }

const objectProblems = (where: string, value: unknown, fields: Fields, required: readonly string[]): string[] => {
  if (!isObject(value)) return [`${where} is no object`]
  const missing = required.filter((key) => !(key in value)).map((key) => `${where}.${key} is missing`)
  const wrong = Object.entries(value)
    .filter(([key, content]) => !(fields[key]?.(content) ?? false))
    .map(([key, content]) => `${where}.${key} is ${JSON.stringify(content)}`)
  return [...missing, ...wrong]
}

const listProblems = (where: string, value: unknown, fields: Fields, required: readonly string[]): string[] => {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return [`${where} is no list`]
  return value.flatMap((item, i) => objectProblems(`${where}[${i}]`, item, fields, required))
}

const oldProblems = (result: Json): string[] =>
  (['ip4', 'ip6'] as const).flatMap((key) => {
    const section = result[key]
    if (section === undefined) return []
    const fields: Fields = { ip: isCidr, gateway: isText, routes: () => true }
    const routes = isObject(section) ? listProblems(`${key}.routes`, section['routes'], ROUTE, ['dst']) : []
    return [...objectProblems(key, section, fields, ['ip']), ...routes]
  })

const newProblems = (version: Version, result: Json): string[] => {
  const hasVersions = !isAtLeast(version, '1.0.0')
  const isNewest = isAtLeast(version, '1.0.0') // libcni has one set of types for 1.0.0 and 1.1.0
  return [
    ...listProblems('interfaces', result['interfaces'], isNewest ? NEW_INTERFACE : INTERFACE, ['name']),
    ...listProblems(
      'ips',
      result['ips'],
      hasVersions ? OLD_IP : IP,
      hasVersions ? ['address', 'version'] : ['address'],
    ),
    ...listProblems('routes', result['routes'], isNewest ? NEW_ROUTE : ROUTE, ['dst']),
  ]
}

/** What is wrong with `result` as a result of `version`; empty: nothing. */
export const shapeProblems = (version: Version, result: unknown): readonly string[] => {
  if (!isObject(result)) return ['stdout is no JSON object']
  const isOld = !isAtLeast(version, '0.3.0')
  const keys = ['cniVersion', 'dns', ...(isOld ? ['ip4', 'ip6'] : ['interfaces', 'ips', 'routes'])]
  const unknown = Object.keys(result).filter((key) => !keys.includes(key))
  const named = result['cniVersion'] === version ? [] : [`cniVersion is ${JSON.stringify(result['cniVersion'])}`]
  const shape = isOld ? oldProblems(result) : newProblems(version, result)
  return [...named, ...unknown.map((key) => `${key} is no key of a ${version} result`), ...shape]
}
