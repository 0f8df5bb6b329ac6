/** The kernel that Debian ships, unpacked and ready to be booted by qemu: with the modules that a cut-down kernel lacks,
 *  and as old as what users of this release run. */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cached } from '../support/cache.ts'
import { must, shell } from '../support/command.ts'
import { ownDependency, unpackOwn } from '../support/debian.ts'

export interface GuestKernel {
  /** Uncompressed ELF: a guest without hardware virtualisation would take seconds to unpack it. */
  readonly kernel: string
  readonly initramfs: string
  /** What /lib/modules/<release> is to be. */
  readonly modules: string
}

/** Offsets in a bzImage. linux Documentation/arch/x86/boot.rst */
const SETUP_SECTS = 0x1f1
const PAYLOAD_OFFSET = 0x248
const PAYLOAD_LENGTH = 0x24c
const SECTOR = 512
/** The unpacked size follows the compressed bytes. */
const TRAILER = 4

/** The ELF inside the bzImage `image`, which Debian compresses with xz. */
const elfOf = (image: Buffer): Buffer => {
  const start = (image.readUInt8(SETUP_SECTS) + 1) * SECTOR + image.readUInt32LE(PAYLOAD_OFFSET)
  const input = image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH) - TRAILER)
  const { stdout, stderr, status } = spawnSync('xz', ['-dc'], { input, maxBuffer: 1 << 30 })
  if (status !== 0) throw new Error(`the kernel is not compressed with xz: ${stderr}`)
  return stdout
}

/** Half of a kernel package, and nothing to a network. */
const UNNEEDED = [
  'sound',
  'drivers/gpu',
  'drivers/media',
  'drivers/usb',
  'drivers/staging',
  'drivers/iio',
  'drivers/infiniband',
  'fs/xfs',
  'fs/btrfs',
]

const unpackKernel = (image: string, release: string, folder: string): void => {
  unpackOwn([image], folder)
  for (const path of UNNEEDED)
    rmSync(`${folder}/lib/modules/${release}/kernel/${path}`, { recursive: true, force: true })
  must(['depmod', '-b', folder, release])
  writeFileSync(`${folder}/vmlinux`, elfOf(readFileSync(`${folder}/boot/vmlinuz-${release}`)))
}

/** Without these there is no root. */
const ROOT_MODULES = ['virtio_mmio', '9pnet_virtio', '9p', 'overlay']

/** Files of `ROOT_MODULES` and what they depend on, in the order they load. */
const moduleFiles = (folder: string, release: string): readonly string[] => {
  const lines = ROOT_MODULES.flatMap((name) =>
    must(['modprobe', '-d', folder, '-S', release, '--show-depends', name]).split('\n'),
  )
  const files = lines.map((line) => /^insmod (\S+)/.exec(line)?.[1] ?? '').filter((file) => file !== '')
  return [...new Set(files)]
}

const INIT = `${import.meta.dirname}/init.sh`
const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

const packInitramfs = (modules: readonly string[], out: string): void => {
  const tree = `${out}.tree`
  for (const name of ['bin', 'dev', 'proc', 'sys', 'modules', 'host', 'scratch', 'root'])
    mkdirSync(`${tree}/${name}`, { recursive: true })
  cpSync('/bin/busybox', `${tree}/bin/busybox`)
  cpSync('/bin/busybox', `${tree}/bin/sh`)
  cpSync(INIT, `${tree}/init`)
  for (const file of modules) cpSync(file, `${tree}/modules/${baseName(file)}`)
  writeFileSync(`${tree}/modules/order`, `${modules.map(baseName).join('\n')}\n`)
  shell('cd "$1" && find . | cpio -o -H newc --quiet >"$2"', tree, out)
  rmSync(tree, { recursive: true })
}

/** The guest's kernel; made on first use (a download of 70 MB). */
export const guestKernel = (): GuestKernel => {
  const image = ownDependency('linux-image-amd64', /^linux-image-\d/)
  const release = image.replace('linux-image-', '')
  const folder = cached(image, `a guest with Debian's kernel ${release}`, (draft) =>
    unpackKernel(image, release, draft),
  )
  const script = createHash('sha256').update(readFileSync(INIT)).digest('hex').slice(0, 12)
  const initramfs = cached(`${image}.initramfs-${script}`, 'its initramfs', (draft) =>
    packInitramfs(moduleFiles(folder, release), draft),
  )
  return { kernel: `${folder}/vmlinux`, initramfs, modules: `${folder}/lib/modules/${release}` }
}
