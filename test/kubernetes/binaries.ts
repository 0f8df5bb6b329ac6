/** A real control plane's programs, compiled from Debian's source package `kubernetes`: what Debian ships of it as a binary
 *  is kubectl alone. Takes some minutes and 2.5 GB of scratch space, once. */
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { cached } from '../support/cache.ts'
import { must } from '../support/command.ts'
import { unpackSource } from '../support/debian.ts'

const PROGRAMS = ['kube-apiserver', 'kube-controller-manager'] as const

/** By its own makefile, which generates code first. It looks for itself below a GOPATH. */
const compile = (source: string, scratch: string): void => {
  mkdirSync(`${source}/.go/src/k8s.io`, { recursive: true })
  symlinkSync('../../..', `${source}/.go/src/k8s.io/kubernetes`)
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: scratch,
    GOPATH: `${source}/.go`,
    GOCACHE: `${scratch}/cache`,
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
  }
  const what = PROGRAMS.map((program) => `cmd/${program}`).join(' ')
  must(['nice', '-n', '19', 'make', `WHAT=${what}`], { cwd: source, env, timeout: 3_600_000 })
}

const sourceIn = (folder: string): string => {
  const found = readdirSync(folder, { withFileTypes: true }).find((entry) => entry.isDirectory())
  if (found === undefined) throw new Error(`no source tree in ${folder}`)
  return `${folder}/${found.name}`
}

/** The folder with kube-apiserver and kube-controller-manager. */
export const controlPlane = (): string =>
  cached('kubernetes-control-plane', 'kube-apiserver and kube-controller-manager (some minutes)', (draft) => {
    const scratch = `${draft}.build`
    try {
      mkdirSync(`${scratch}/source`, { recursive: true })
      unpackSource('kubernetes', `${scratch}/source`)
      const source = sourceIn(`${scratch}/source`)
      compile(source, scratch)
      mkdirSync(draft)
      for (const program of PROGRAMS) renameSync(`${source}/_output/bin/${program}`, `${draft}/${program}`)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  })
