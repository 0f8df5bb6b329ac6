/** A root shell on a machine of its own: network, mounts and processes are private, /etc, /opt and /var/lib are written to
 *  in memory only, and everything ends with the last command. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { makeFolder } from '../support/cleanup.ts'
import { must } from '../support/command.ts'

const ROOT = new URL('../..', import.meta.url).pathname

/** eth0 leads to a namespace `internet`, 192.0.2.1 and 2001:db8::1; the machine is 192.0.2.10 and 2001:db8::10. */
const MACHINE = `
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/layers
for folder in etc opt var/lib; do
  layer=/run/layers/$(basename $folder)
  mkdir -p $layer/upper $layer/work
  mount -t overlay -o lowerdir=/$folder,upperdir=$layer/upper,workdir=$layer/work overlay /$folder
done
rm -rf /etc/cni /opt/cni
mkdir -p /var/lib/cni && mount -t tmpfs tmpfs /var/lib/cni
ip link set lo up
ip netns add internet
ip link add eth0 type veth peer name eth0 netns internet
ip -n internet addr add 192.0.2.1/24 dev eth0; ip -n internet addr add 2001:db8::1/64 dev eth0 nodad
ip -n internet link set lo up; ip -n internet link set eth0 up
ip addr add 192.0.2.10/24 dev eth0; ip addr add 2001:db8::10/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1
export PATH=/opt/cni/bin:$PATH
unset PODWIRE_INSTALLED
`

export interface Ran {
  readonly command: string
  readonly status: number
  /** stdout and stderr, in the order they came. */
  readonly output: readonly string[]
}

const quoted = (path: string): string => `'${path}'`

const stepOf = (folder: string, i: number): string =>
  `sh ${quoted(`${folder}/${i}.sh`)} >${quoted(`${folder}/${i}.out`)} 2>&1; echo $? >${quoted(`${folder}/${i}.status`)}`

const readRan = (folder: string, command: string, i: number): Ran => ({
  command,
  status: Number(readFileSync(`${folder}/${i}.status`, 'utf8')),
  output: readFileSync(`${folder}/${i}.out`, 'utf8').trimEnd().split('\n'),
})

/** Runs each command in a shell of its own, one after the other, on one machine; the working folder is the checkout. */
export const runOnMachine = (commands: readonly string[]): readonly Ran[] => {
  const folder = makeFolder('docs')
  mkdirSync(folder, { recursive: true })
  for (const [i, command] of commands.entries()) writeFileSync(`${folder}/${i}.sh`, `${command}\n`)
  const steps = commands.map((_, i) => stepOf(folder, i)).join('\n')
  writeFileSync(`${folder}/machine.sh`, `set -e\n${MACHINE}\nset +e\ncd ${quoted(ROOT)}\n${steps}\n`)
  const isolated = ['unshare', '--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  must([...isolated, 'sh', `${folder}/machine.sh`], { timeout: 120_000 })
  return commands.map((command, i) => readRan(folder, command, i))
}
