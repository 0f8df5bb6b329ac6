/** `npm run kubernetes -- [NAME ...]`: the Kubernetes store, the manifest and the agent on a real API server, as root, in a
 *  network namespace of its own. The first run compiles kube-apiserver from Debian's source, which takes minutes. With names:
 *  the cases that have one of them in theirs. Exit status 0 when every case passes. */
import { spawnSync } from 'node:child_process'
import { controlPlane } from '../test/kubernetes/binaries.ts'

controlPlane()
const inside = new URL('../test/kubernetes/inside.ts', import.meta.url).pathname
const argv = ['--net', process.execPath, '--import', 'tsx', inside, ...process.argv.slice(2)]
const { status } = spawnSync('unshare', argv, { stdio: 'inherit' })
process.exitCode = status ?? 1
