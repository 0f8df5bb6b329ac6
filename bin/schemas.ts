/** JSON Schemas compiled at build: a validator without ajv's runtime, the shape of the keys, each pattern in words. */
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import standaloneCode from 'ajv/dist/standalone/index.js'
import { transform } from 'esbuild'
import { shapeOf } from './shape.ts'

/** The schema that the others refer to; no plugin's own. */
const BASE = 'net.json'

type SchemaNode = { readonly [key: string]: unknown }

const read = (folder: string, file: string): SchemaNode =>
  JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')) as SchemaNode

/** The types that `folder` holds a schema of, sorted. */
export const schemaTypes = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.json') && file !== BASE)
    .map((file) => file.slice(0, -'.json'.length))
    .sort()

/** Every pattern below `node` with its description. @throws Error for a pattern without one */
const wordsOf = (node: unknown): [string, string][] => {
  if (typeof node !== 'object' || node === null) return []
  const { pattern, description } = node as SchemaNode
  const own: [string, string][] = []
  if (typeof pattern === 'string') {
    if (typeof description !== 'string')
      throw new Error(`pattern ${pattern} has no description, which errors would quote`)
    own.push([pattern, description])
  }
  return [...own, ...Object.values(node).flatMap(wordsOf)]
}

const ANNOTATIONS = ['$schema', 'title', 'description']

/** `node` without what only people read. */
const bare = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(bare)
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, value]) => (ANNOTATIONS.includes(key) ? [] : [[key, bare(value)]])),
  )
}

/** `code` with its patterns compiled when they are first tested: not every call tests each. */
const withLazyPatterns = (code: string): string =>
  `const pattern = (source, flags) => { let compiled; return { test: (text) => (compiled ??= new RegExp(source, flags)).test(text) } }
${code.replaceAll('new RegExp(', 'pattern(')}`

const validatorOf = (type: string, base: SchemaNode, schema: SchemaNode): string => {
  const ajv = new Ajv({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    unicodeRegExp: true,
    messages: false,
    code: { source: true, esm: true },
  })
  ajv.addVocabulary(['cniArgs', 'value', 'secret'])
  ajv.addSchema(bare(base) as SchemaNode, BASE)
  const validate = ajv.compile({ ...(bare(schema) as SchemaNode), $id: `${type}.json` })
  return standaloneCode.default(ajv, validate)
}

const declaration = `import type { Schema } from '../../cni/schema.ts'
export declare const schema: Schema
`

/** The module generated for `type`: exports one `schema` (cni/schema.ts). */
export const compileSchema = async (folder: string, type: string): Promise<{ code: string; declaration: string }> => {
  const base = read(folder, BASE)
  const schema = read(folder, `${type}.json`)
  const parts = {
    shape: shapeOf(schema, { [BASE]: base, [`${type}.json`]: schema }),
    args: schema['cniArgs'],
    words: Object.fromEntries([...wordsOf(base), ...wordsOf(schema)]),
  }
  const validator = validatorOf(type, base, schema)
  if (/\brequire\(/.test(validator))
    throw new Error(`the validator of ${type} needs ajv's runtime: ${validator.match(/require\([^)]*\)/)}`)
  const source = `${withLazyPatterns(validator)}\nexport const schema = { ...${JSON.stringify(parts)}, validate }`
  const { code } = await transform(source, { minify: true, treeShaking: true, format: 'esm', target: 'es2023' })
  return { code, declaration }
}
