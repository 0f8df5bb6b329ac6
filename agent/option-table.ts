/** Every option of the agent, as `conf/schemas/agent.json` states them: a key of the file, a flag `--KEY`, and the variables
 *  `PODWIRE_KEY` and `FLANNELD_KEY`, the latter flannel's own (its flagutil SetFlagsFromEnv). */
import schema from '../conf/schemas/agent.json' with { type: 'json' }

export type OptionValue = string | boolean | number | readonly string[]

export interface OptionSpec {
  /** The flag without `--`, which is also the key of the file. */
  readonly key: string
  readonly type: 'string' | 'boolean' | 'integer' | 'array'
  readonly about: string
  readonly default: OptionValue
  /** What a value is called in the help: `dir`, `ip` ...; '' for one that takes none. */
  readonly value: string
  /** Never shown. */
  readonly secret: boolean
  /** The only values there are; empty: not so. */
  readonly allowed: readonly string[]
}

interface Property {
  readonly type: string
  readonly description: string
  readonly default: OptionValue
  readonly value?: string
  readonly secret?: boolean
  readonly enum?: readonly string[]
}

const specOf = ([key, property]: readonly [string, Property]): OptionSpec => ({
  key,
  type: property.type as OptionSpec['type'],
  about: property.description,
  default: property.default,
  value: property.value ?? (property.type === 'boolean' ? '' : property.enum === undefined ? 'value' : 'name'),
  secret: property.secret ?? false,
  allowed: property.enum ?? [],
})

export const OPTION_TABLE: readonly OptionSpec[] = Object.entries(
  schema.properties as Readonly<Record<string, Property>>,
).map(specOf)

/** `subnet-file` as a property: `subnetFile`. */
export const propertyOf = (key: string): string => key.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())

/** The variable of the environment: `variableOf('PODWIRE', 'subnet-file')` is `PODWIRE_SUBNET_FILE`. */
export const variableOf = (prefix: 'PODWIRE' | 'FLANNELD', key: string): string =>
  `${prefix}_${key.replaceAll('-', '_').toUpperCase()}`
