/** An OCI image archive that holds Debian's static busybox and nothing else: good for the pod's own container, which only
 *  waits, and for one that serves or asks. github.com/opencontainers/image-spec */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { must } from '../../support/command.ts'

export const IMAGE = 'localhost/podwire-test/busybox:1'

interface Entry {
  readonly name: string
  readonly body?: Buffer
  readonly mode?: number
  /** Target of a symbolic link. */
  readonly link?: string
}

const BLOCK = 512
const typeOf = ({ name, link }: Entry): string => (link !== undefined ? '2' : name.endsWith('/') ? '5' : '0')

/** A ustar header (POSIX.1-1988 10.1.1) with no time and no owner, so that the same content has the same digest. */
const headerOf = (entry: Entry): Buffer => {
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, width: number): void => {
    header.write(value.toString(8).padStart(width - 1, '0'), at)
  }
  header.write(entry.name, 0)
  octal(entry.mode ?? 0o755, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(entry.body?.length ?? 0, 124, 12)
  octal(0, 136, 12)
  header.write('        ', 148)
  header.write(`${typeOf(entry)}${entry.link ?? ''}`, 156)
  header.write('ustar\0' + '00', 257)
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    8,
  )
  return header
}

const tar = (entries: readonly Entry[]): Buffer => {
  const parts = entries.flatMap((entry) => {
    const body = entry.body ?? Buffer.alloc(0)
    return [headerOf(entry), body, Buffer.alloc(-body.length & (BLOCK - 1))]
  })
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const rootFiles = (): readonly Entry[] => {
  const applets = must(['/bin/busybox', '--list'])
    .split('\n')
    .filter((name) => name !== 'busybox')
  return [
    ...['bin/', 'dev/', 'etc/', 'proc/', 'sys/', 'tmp/', 'www/'].map((name) => ({ name })),
    { name: 'bin/busybox', body: readFileSync('/bin/busybox') },
    ...applets.map((name) => ({ name: `bin/${name}`, link: 'busybox' })),
  ]
}

/** Ends at once when it is asked to: an init that ignores SIGTERM costs each pod ten seconds. */
const WAIT = ['/bin/sh', '-c', 'trap exit TERM INT; while :; do sleep 3600 & wait; done']

const described = (mediaType: string, blob: Buffer): object => ({
  mediaType: `application/vnd.oci.image.${mediaType}`,
  digest: `sha256:${digestOf(blob)}`,
  size: blob.length,
})

const jsonOf = (value: object): Buffer => Buffer.from(JSON.stringify(value))

/** The bytes of the archive; `ctr images import` makes IMAGE of it. */
export const busyboxImage = (): Buffer => {
  const layer = tar(rootFiles())
  const config = jsonOf({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Cmd: WAIT, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digestOf(layer)}`] },
  })
  const manifest = jsonOf({
    schemaVersion: 2,
    config: described('config.v1+json', config),
    layers: [described('layer.v1.tar', layer)],
  })
  const named = { ...described('manifest.v1+json', manifest), annotations: { 'io.containerd.image.name': IMAGE } }
  const blobs = [layer, config, manifest].map((body) => ({ name: `blobs/sha256/${digestOf(body)}`, body, mode: 0o644 }))
  return tar([
    { name: 'oci-layout', body: jsonOf({ imageLayoutVersion: '1.0.0' }), mode: 0o644 },
    { name: 'index.json', body: jsonOf({ schemaVersion: 2, manifests: [named] }), mode: 0o644 },
    ...blobs,
  ])
}
