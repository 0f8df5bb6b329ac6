/** `npm run demo`: a node, pods and an outside world as namespaces, podwire between them, and what was measured in a table.
 *  Everything happens in namespaces of a process of its own (network, mounts, processes), which the kernel takes down with
 *  it: finished, failed, interrupted or killed, the host is as it was. */
import { buildIfOld } from './demo/build.ts'
import { runInSandbox } from './demo/sandbox.ts'
import { openScreen } from './demo/screen.ts'

const screen = openScreen()
await screen.step('build the executable', buildIfOld, (text) => ({ text, holds: true }))
process.exitCode = await runInSandbox(`${import.meta.dirname}/demo/inside.ts`)
