/** The page of keys against the schemas: every key of every plugin is on it, and no other. */
import { expect, test } from 'vitest'
import type { Schema } from '../../cni/schema.ts'
import { pluginTypes } from '../support/plugin.ts'
import { readDocument } from './document.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const page = readDocument(`${ROOT}docs/pod-layer.md`)

/** Keys of the specification, which every plugin takes. */
const COMMON = [
  ...['cniVersion', 'name', 'type', 'capabilities', 'ipam', 'dns', 'args', 'runtimeConfig', 'prevResult'],
  ...['cni.dev/valid-attachments', 'cni.dev/attachments'],
]
const IPAM = ['host-local', 'static']

const namesIn = (shape: Schema['shape'] | undefined): readonly string[] =>
  Object.values(shape?.keys ?? {}).map(([name]) => name)

/** What the schema of `type` knows beyond what is common. */
const keysOf = async (type: string): Promise<readonly string[]> => {
  const { schema } = (await import(`../../conf/generated/${type}.js`)) as { readonly schema: Schema }
  return IPAM.includes(type)
    ? namesIn(schema.shape.keys?.ipam?.[1]).filter((name) => name !== 'type')
    : namesIn(schema.shape).filter((name) => !COMMON.includes(name))
}

/** The names in the first column of the tables of a section. */
const listed = (type: string): readonly string[] => {
  const [, section = ''] = page.split(`\n## ${type}\n`)
  const [own = ''] = section.split('\n## ')
  const rows = own.split('\n').filter((line) => line.startsWith('| `'))
  return rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(({ 1: name = '' }) => name))
}

test.each(pluginTypes())('docs/pod-layer.md lists the keys of %s', async (type) => {
  expect(page).toContain(`\n## ${type}\n`)
  expect([...listed(type)].sort()).toEqual([...(await keysOf(type))].sort())
})
