/** Which keys a JSON Schema knows at each place, in the schema's spelling: what keys are folded by (cni/fold.ts). */
import type { Shape } from '../cni/fold.ts'

type Node = { readonly [key: string]: unknown }
type Schemas = Readonly<Record<string, Node>>

interface Draft {
  keys: Record<string, [name: string, value: Draft]>
  items: Draft | undefined
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What `$ref` points at: `file#/definitions/name`, either part may be left out. */
const resolve = (reference: string, file: string, schemas: Schemas): { node: Node; file: string } => {
  const [name = '', pointer = ''] = reference.split('#')
  const target = name === '' ? file : name
  const node = pointer
    .split('/')
    .slice(1)
    .reduce<unknown>((at, segment) => (isNode(at) ? at[segment] : undefined), schemas[target])
  if (!isNode(node)) throw new Error(`$ref ${reference} in ${file} leads nowhere`)
  return { node, file: target }
}

const addProperties = (draft: Draft, properties: Node, file: string, schemas: Schemas): void => {
  for (const [name, node] of Object.entries(properties)) {
    const key = name.toLowerCase()
    const known = draft.keys[key]
    if (known !== undefined && known[0] !== name) throw new Error(`${file}: keys ${known[0]} and ${name} fold to one`)
    const inner: Draft = known?.[1] ?? { keys: {}, items: undefined }
    draft.keys[key] = [name, inner]
    add(inner, node, file, schemas)
  }
}

const add = (draft: Draft, node: unknown, file: string, schemas: Schemas): void => {
  if (!isNode(node)) return
  if (typeof node['$ref'] === 'string') {
    const target = resolve(node['$ref'], file, schemas)
    add(draft, target.node, target.file, schemas)
  }
  if (Array.isArray(node['allOf'])) for (const part of node['allOf']) add(draft, part, file, schemas)
  if (isNode(node['properties'])) addProperties(draft, node['properties'], file, schemas)
  if (isNode(node['items'])) {
    draft.items ??= { keys: {}, items: undefined }
    add(draft.items, node['items'], file, schemas)
  }
}

const isEmpty = (shape: Shape): boolean => shape.keys === undefined && shape.items === undefined

/** The draft without what holds no known key. */
const finish = ({ keys, items }: Draft): Shape => {
  const named = Object.entries(keys).map(([key, [name, value]]): [string, readonly [string, Shape?]] => {
    const inner = finish(value)
    return [key, isEmpty(inner) ? [name] : [name, inner]]
  })
  const element = items === undefined ? {} : finish(items)
  return {
    ...(named.length > 0 ? { keys: Object.fromEntries(named) } : {}),
    ...(isEmpty(element) ? {} : { items: element }),
  }
}

/** The shape of `schema`; `schemas` are the files its references may name. @throws Error for a reference to nothing */
export const shapeOf = (schema: Node, schemas: Schemas): Shape => {
  const [file = ''] = Object.entries(schemas).find(([, node]) => node === schema) ?? []
  const draft: Draft = { keys: {}, items: undefined }
  add(draft, schema, file, schemas)
  return finish(draft)
}
