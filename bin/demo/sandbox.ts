/** A process tree with its own network, mounts and process numbers: what it makes exists nowhere else and ends with it. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Folders that plugins and runtimes keep state in, made private: /run empty, /var/lib with an empty /var/lib/cni. */
const PRIVATE_FOLDERS = `
mount -t tmpfs tmpfs /run
mkdir /run/netns /run/upper /run/work
mount -t overlay -o lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work overlay /var/lib
mkdir -p /var/lib/cni
mount -t tmpfs tmpfs /var/lib/cni
exec "$@"`

const commandFor = (script: string): readonly string[] => [
  ...['setpriv', '--pdeathsig', 'KILL'],
  ...['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
  ...(process.getuid?.() === 0 ? [] : ['--map-root-user']),
  ...['sh', '-euc', PRIVATE_FOLDERS, 'sandbox'],
  ...[process.execPath, ...process.execArgv, script],
]

/** Runs a script of this checkout in a sandbox. Returns its exit status, or 128 and the number of the signal that this
 *  process was interrupted by; by then everything in the sandbox is gone. */
export const runInSandbox = (script: string): Promise<number> => {
  const [file = '', ...args] = commandFor(script)
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  let interruption: (typeof SIGNALS)[number] | undefined
  for (const signal of SIGNALS)
    process.on(signal, () => {
      interruption = signal
      child.kill('SIGKILL') // the kernel ends its children with it, and their namespaces
    })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (status) => {
      if (interruption === undefined) return resolve(status ?? 1)
      process.stderr.write('\ninterrupted: what the demo made has ended with it\n')
      resolve(128 + constants.signals[interruption])
    })
  })
}
