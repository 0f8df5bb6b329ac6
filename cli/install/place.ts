/** Putting files into their places, and what was there before aside. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { LAUNCHER } from './source.ts'
import { type Step, THERE } from './steps.ts'

/** Where plugins of another origin are kept that a link of podwire replaced. */
export const KEPT_FOLDER = '.podwire-replaced'

const EXECUTABLE = 0o755

const syncFile = (path: string): void => {
  const descriptor = openSync(path, 'r')
  fsyncSync(descriptor)
  closeSync(descriptor)
}

const stageFile = (stage: string, step: Extract<Step, { kind: 'file' }>): void => {
  const draft = join(stage, step.name)
  copyFileSync(step.source, draft)
  chmodSync(draft, EXECUTABLE)
  syncFile(draft)
}

/** Keeps the file at `folder/name` under a second name; an older one kept before goes. */
const keep = (folder: string, name: string): void => {
  const kept = join(folder, KEPT_FOLDER)
  mkdirSync(kept, { recursive: true })
  rmSync(join(kept, name), { force: true })
  linkSync(join(folder, name), join(kept, name))
}

const placeLink = (folder: string, stage: string, step: Extract<Step, { kind: 'link' }>): void => {
  if (step.keeps) keep(folder, step.name)
  symlinkSync(LAUNCHER, join(stage, step.name))
  renameSync(join(stage, step.name), join(folder, step.name))
}

const stageFiles = (stage: string, files: readonly Extract<Step, { kind: 'file' }>[]): void => {
  for (const step of files) stageFile(stage, step)
}

/** Takes the steps of `planInstall`, those that are needed. `attempt` is called with the folder of the executable to be, and throws
 *  when that does not work. The links are symbolic and relative: `bridge -> podwire-plugin`. @throws CniError, Error (file system) */
export const placeFiles = (
  folder: string,
  stage: string,
  steps: readonly Step[],
  attempt: (folder: string) => void,
): void => {
  const files = steps.filter((step) => step.kind === 'file')
  const isNew = files.some(({ action }) => action !== THERE)
  if (isNew) stageFiles(stage, files)
  attempt(isNew ? stage : folder)
  if (isNew) for (const { name } of files) renameSync(join(stage, name), join(folder, name))
  for (const step of steps) if (step.kind === 'link' && step.action !== THERE) placeLink(folder, stage, step)
  syncFile(folder)
}
