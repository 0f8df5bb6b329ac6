/** One command in a guest, by qemu in software (no virtualisation is needed): the host's file tree is at its usual place,
 *  read-only, and what the guest writes is gone with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeFolder, onCleanup } from '../support/cleanup.ts'
import type { Output } from '../support/command.ts'
import { type GuestKernel, guestKernel } from './kernel.ts'

const FIRST = `${import.meta.dirname}/first.sh`

const shared = (tag: string, path: string, more: string): readonly string[] => [
  '-fsdev',
  `local,id=${tag},path=${path},security_model=none,multidevs=remap${more}`,
  '-device',
  `virtio-9p-device,fsdev=${tag},mount_tag=${tag}`,
]

/** kHz of this machine's time stamp counter, which a software guest reads. */
const clockRate = (): number =>
  Math.round(1000 * Number(/^cpu MHz\s*: ([\d.]+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 2000))

/** The counter is the clock, at a rate that is told: a guest that has to measure it finds none on a busy machine and stops
 *  for ever in its first instant (three boots of five at a load of ten). */
const commandLine = ({ modules }: GuestKernel, control: string): string =>
  `console=ttyS0 quiet panic=-1 reboot=t nokaslr mitigations=off tsc=reliable tsc_early_khz=${clockRate()} ` +
  `podwire.first=${FIRST} podwire.control=${control} podwire.modules=${modules}`

const startQemu = (guest: GuestKernel, control: string): ChildProcess => {
  const machine = ['-M', 'microvm', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '1536']
  const bare = [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-no-reboot',
    '-serial',
    `file:${control}/console`,
  ]
  const boot = ['-kernel', guest.kernel, '-initrd', guest.initramfs, '-append', commandLine(guest, control)]
  const shares = [...shared('host', '/', ',readonly=on'), ...shared('control', control, '')]
  return spawn('qemu-system-x86_64', [...machine, ...bare, ...boot, ...shares], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}

/** Waits until `file` exists, the guest has ended or `seconds` are over. True when the file exists. */
const appears = async (file: string, qemu: ChildProcess, seconds: number): Promise<boolean> => {
  for (const end = Date.now() + seconds * 1000; Date.now() < end && qemu.exitCode === null; await sleep(50))
    if (existsSync(file)) return true
  return existsSync(file)
}

const BOOT_SECONDS = 300

const textOf = (file: string): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')

/** What `command`, a shell script, did in a guest. `seconds` is its time limit, without the boot of about five.
 *  @throws Error with the guest's console when it does not come up, with its stderr when the command does not end */
export const runInGuest = async (command: string, seconds = 900): Promise<Output> => {
  const guest = guestKernel()
  const control = makeFolder('guest')
  writeFileSync(`${control}/command`, command)
  const qemu = startQemu(guest, control)
  const end = onCleanup(() => qemu.kill('SIGKILL'))
  try {
    if (!(await appears(`${control}/up`, qemu, BOOT_SECONDS)))
      throw new Error(`the guest does not come up:\n${textOf(`${control}/console`)}`)
    if (!(await appears(`${control}/status`, qemu, seconds)))
      throw new Error(`the guest has not ended the command after ${seconds} s:\n${textOf(`${control}/stderr`)}`)
  } finally {
    end()
  }
  const [status, stdout, stderr] = ['status', 'stdout', 'stderr'].map((name) => textOf(`${control}/${name}`))
  return { status: Number(status), stdout: stdout ?? '', stderr: stderr ?? '' }
}
