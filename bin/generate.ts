/** Generates from `conf/schemas` and the plugin folders: `conf/generated/<type>.js` (validator, key shapes) and
 *  `bin/generated/registry.ts` (what the executable can be called as) and `bin/generated/plugin-<type>.ts` (the executable
 *  when it is called so). Run by `npm run generate`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { pluginFolders, programFolders, renderProgram, renderRegistry } from './registry.ts'
import { compileSchema, schemaTypes } from './schemas.ts'

const root = new URL('..', import.meta.url).pathname

const write = (path: string, text: string): void => {
  mkdirSync(path.slice(0, path.lastIndexOf('/')), { recursive: true })
  writeFileSync(path, text)
}

/** Writes everything generated. Returns the types that have a schema. */
export const generate = async (): Promise<readonly string[]> => {
  const types = schemaTypes(`${root}conf/schemas`)
  for (const type of types) {
    const { code, declaration } = await compileSchema(`${root}conf/schemas`, type)
    write(`${root}conf/generated/${type}.js`, code)
    write(`${root}conf/generated/${type}.d.ts`, declaration)
  }
  const folders = pluginFolders(root)
  write(`${root}bin/generated/registry.ts`, renderRegistry(folders))
  for (const folder of folders)
    write(`${root}bin/generated/plugin-${folder.type}.ts`, renderProgram(programFolders(root, folder, folders)))
  return types
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const types = await generate()
  console.log(`generated validators: ${types.join(', ')}`)
}
