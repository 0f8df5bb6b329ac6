/** `podwire version`: what this executable is, and whether its addon works. */
import { Command } from 'commander'
import { VERSIONS } from '../cni/version.ts'
import { sha512 } from '../native/addon.ts'
import manifest from '../package.json' with { type: 'json' }
import type { Plugins } from './main.ts'

export const VERSION = manifest.version

/** SHA-512 of nothing begins so (FIPS 180-4): the addon has been loaded and computes. */
const EMPTY_SHA512 = 'cf83e1357eefb8bd'

const addonState = (): string => {
  try {
    return sha512('').startsWith(EMPTY_SHA512) ? 'ok' : 'podwire.node computes nonsense: install it again'
  } catch (error) {
    return `podwire.node cannot be loaded: ${error instanceof Error ? error.message : error}`
  }
}

const show = (plugins: Plugins, { json = false }: { readonly json?: boolean }): void => {
  const addon = addonState()
  const facts = { podwire: VERSION, cniVersions: VERSIONS, plugins: Object.keys(plugins), addon }
  if (addon !== 'ok') process.exitCode = 1
  if (json) {
    process.stdout.write(`${JSON.stringify(facts)}\n`)
    return
  }
  process.stdout.write(
    `podwire ${VERSION}\nCNI      ${VERSIONS.join(' ')}\nplugins  ${facts.plugins.join(' ')}\naddon    ${addon}\n`,
  )
}

export const versionCommand = (plugins: Plugins): Command =>
  new Command('version')
    .description('print the version, the plugins in this executable, and whether its addon loads')
    .option('--json', 'as JSON')
    .action((options) => show(plugins, options))
