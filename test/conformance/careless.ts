/** A folder of plugins that attach and then do no more: what a harness must notice is shown on them. */
import { chmodSync, writeFileSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'
import { binDir } from '../support/plugin.ts'

/** A folder of `plugins` that do what those of the build do for `verbs`, and say yes to everything else. */
export const carelessDir = (plugins: readonly string[], verbs: readonly string[]): string => {
  const folder = makeFolder('careless')
  for (const plugin of plugins) {
    const lines = ['#!/bin/sh', `case $CNI_COMMAND in ${verbs.join('|')}) exec ${binDir()}/${plugin} ;; esac`]
    writeFileSync(`${folder}/${plugin}`, `${lines.join('\n')}\n`)
    chmodSync(`${folder}/${plugin}`, 0o755)
  }
  return folder
}
