/** Upstream's libcni, as a function: one verb on one list. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { cached } from '../support/cache.ts'
import { must, run } from '../support/command.ts'
import { newerDependency, unpackNewer } from '../support/debian.ts'
import { inside } from '../support/netns.ts'

const SOURCE = `${import.meta.dirname}/libcni`

const sourceHash = (): string => {
  const hash = createHash('sha256')
  for (const name of readdirSync(SOURCE).sort()) hash.update(readFileSync(`${SOURCE}/${name}`))
  return hash.digest('hex').slice(0, 12)
}

const compile = (go: string, gopath: string, tags: string, out: string): void => {
  const env = {
    PATH: '/usr/bin:/bin',
    GO111MODULE: 'off',
    GOTOOLCHAIN: 'local',
    CGO_ENABLED: '0',
    GOPATH: gopath,
    GOCACHE: '/var/cache/podwire/go-build',
  }
  must(['nice', go, 'build', '-tags', tags, '-o', out, '.'], { cwd: SOURCE, env, timeout: 600_000 })
}

/** The path of the client built against this release's libcni (bookworm: 1.1, specification 1.0). */
export const stableClient = (): string =>
  cached(`libcni-stable-${sourceHash()}`, 'a client of this release’s libcni', (draft) =>
    compile('/usr/bin/go', '/usr/share/gocode', '', draft),
  )

/** The newer suite's compiler and libcni, unpacked: 400 MB. */
const newerTools = (): string =>
  cached('go-newer', 'libcni 1.3 and its compiler', (draft) => {
    const compiler = newerDependency('golang-go', /^golang-[\d.]+-go$/)
    unpackNewer([compiler, compiler.replace(/-go$/, '-src'), 'golang-github-appc-cni-dev'], draft)
  })

const compilerIn = (tools: string): string => {
  const version = readdirSync(`${tools}/usr/lib`).find((name) => name.startsWith('go-'))
  return `${tools}/usr/lib/${version}/bin/go`
}

/** The path of the client built against libcni 1.2 or newer (specification 1.1). */
export const newerClient = (): string =>
  cached(`libcni-newer-${sourceHash()}`, 'a client of libcni 1.3', (draft) => {
    const tools = newerTools()
    compile(compilerIn(tools), `${tools}/usr/share/gocode`, 'libcni12', draft)
  })

export interface LibcniRequest {
  readonly verb: 'add' | 'check' | 'del' | 'gc' | 'status'
  readonly confList: object
  readonly binDirs: readonly string[]
  /** Where libcni keeps results. */
  readonly cacheDir: string
  readonly containerID?: string
  readonly ifName?: string
  /** A path. */
  readonly netns?: string
  readonly args?: readonly (readonly [string, string])[]
  readonly capabilityArgs?: object
  /** What gc keeps. */
  readonly keep?: readonly { readonly containerID: string; readonly ifName: string }[]
}

export interface LibcniAnswer {
  readonly result?: { readonly ips: readonly { readonly address: string; readonly interface: number }[] }
  /** Code 0: libcni's own. */
  readonly error?: { readonly code: number; readonly msg: string; readonly details?: string }
}

/** What `client` answers when it is run in the namespace `node`. @throws Error when it answers nothing (a crash) */
export const libcni = (client: string, node: string, request: LibcniRequest): LibcniAnswer => {
  const { stdout, stderr } = run(inside(node, [client]), { input: JSON.stringify(request) })
  if (stdout === '') throw new Error(`${request.verb}: no answer\n${stderr}`)
  return JSON.parse(stdout)
}
