/** The lock file is whole: `npm ci` refuses one from which npm left out what the registry did not have at the time. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const packages: Readonly<Record<string, Locked>> = JSON.parse(
  readFileSync(`${import.meta.dirname}/../package-lock.json`, 'utf8'),
).packages

/** Folders in which a package at `folder` looks for `name`, as Node does. */
const placesOf = (folder: string, name: string): readonly string[] => {
  const parents = folder.split('/node_modules/').map((_, i, all) => all.slice(0, i + 1).join('/node_modules/'))
  return [...parents.map((parent) => `${parent}/node_modules/${name}`), `node_modules/${name}`]
}

test('every dependency that a locked package names is locked too, those of other platforms included', () => {
  const missing = Object.entries(packages).flatMap(([folder, { dependencies = {}, optionalDependencies = {} }]) =>
    Object.keys({ ...dependencies, ...optionalDependencies })
      .filter((name) => !placesOf(folder, name).some((place) => place in packages))
      .map((name) => `${folder} needs ${name}`),
  )
  expect(missing).toEqual([])
})
