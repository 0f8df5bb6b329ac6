/** containerd with everything of its own: files, socket, processes, mounts, network namespace. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { cached } from '../../support/cache.ts'
import { makeFolder, namePrefix, onCleanup } from '../../support/cleanup.ts'
import { must, run } from '../../support/command.ts'
import { unpackNewer } from '../../support/debian.ts'
import { waitFor } from '../../support/probe.ts'
import { connect } from './client.ts'
import { busyboxImage, IMAGE } from './image.ts'
import { makeSandbox } from './sandbox.ts'

/** Folder of this release's containerd (bookworm: 1.6, which takes CNI up to 1.0.0). */
export const stableContainerd = (): string => '/usr/bin'

/** Folder of a newer suite's containerd (2.1 or later: CNI 1.1.0, and STATUS). */
export const newerContainerd = (): string =>
  `${cached('containerd-newer', 'containerd 2', (draft) => unpackNewer(['containerd'], draft))}/usr/bin`

interface Folders {
  readonly root: string
  readonly socket: string
  readonly bin: string
  readonly conf: string
}

/** The container tool chain is not under test: no AppArmor, and no wish to lower an OOM score, which a container denies. */
const RELAXED = 'disable_apparmor = true\nrestrict_oom_score_adj = true\nnetns_mounts_under_state_dir = true'

const filesToml = ({ root, socket }: Folders): string =>
  `root = "${root}/root"\nstate = "${root}/state"\n[grpc]\naddress = "${socket}"\n` +
  `[plugins."io.containerd.internal.v1.opt"]\npath = "${root}/opt"\n`

const configV2 = (folders: Folders): string => `version = 2
${filesToml(folders)}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${IMAGE}"
disable_tcp_service = true
${RELAXED}
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${folders.bin}"
conf_dir = "${folders.conf}"
`

const configV3 = (folders: Folders): string => `version = 3
${filesToml(folders)}
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
${RELAXED}
[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["${folders.bin}"]
conf_dir = "${folders.conf}"
`

export interface Containerd {
  readonly socket: string
  /** For the `cgroupParent` of pods. */
  readonly cgroup: string
  /** Ends the process, not the pods, and starts another. */
  readonly restart: () => Promise<void>
}

const removeCgroup = (name: string): void => {
  run(['find', '/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*/${name}*`, '-exec', 'rmdir', '{}', '+'])
}

/** The containerd in the folder `programs`, in the network namespace `node`, with the plugins in `bin` and one list.
 *  Answers when it returns. */
export const startContainerd = async (
  programs: string,
  node: string,
  bin: string,
  confList: object,
): Promise<Containerd> => {
  const root = makeFolder('containerd')
  const folders = { root, socket: `${root}/socket`, bin, conf: `${root}/net.d` }
  const isV3 = / v?2\./.test(must([`${programs}/containerd`, '--version']))
  mkdirSync(folders.conf)
  writeFileSync(`${folders.conf}/10-test.conflist`, JSON.stringify(confList))
  writeFileSync(`${root}/config.toml`, isV3 ? configV3(folders) : configV2(folders))
  writeFileSync(`${root}/image.tar`, busyboxImage())

  const cgroup = `${namePrefix()}cri`
  onCleanup(() => removeCgroup(cgroup))
  const sandbox = makeSandbox(node)
  const env = { PATH: `${programs}:/usr/sbin:/usr/bin:/sbin:/bin` }
  const ctr = (...args: readonly string[]) =>
    run(sandbox.inside([`${programs}/ctr`, '-a', folders.socket, '-n', 'k8s.io', ...args]), { env })
  const start = async (): Promise<void> => {
    const script = 'echo $$ >"$1/pid"; exec "$0" --config "$1/config.toml" >>"$1/log" 2>&1'
    const [file = '', ...args] = sandbox.inside(['sh', '-c', script, `${programs}/containerd`, root])
    spawn(file, args, { stdio: 'ignore', env })
    const answers = () =>
      connect(folders.socket)
        .status()
        .then(
          () => true,
          () => false,
        )
    for (const end = Date.now() + 30_000; !(await answers()); await sleep(50))
      if (Date.now() > end) throw new Error(`containerd does not answer:\n${run(['tail', `${root}/log`]).stdout}`)
  }
  const stop = (): void => {
    const pid = readFileSync(`${root}/pid`, 'utf8').trim()
    must(sandbox.inside(['kill', pid]))
    if (!waitFor(() => run(sandbox.inside(['kill', '-0', pid])).status !== 0))
      throw new Error('containerd does not end')
  }
  await start()
  const imported = ctr('images', 'import', `${root}/image.tar`)
  if (imported.status !== 0) throw new Error(imported.stderr)
  const restart = (): Promise<void> => {
    stop()
    return start()
  }
  return { socket: folders.socket, cgroup, restart }
}
