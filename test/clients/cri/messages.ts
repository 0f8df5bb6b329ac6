/** Messages of the Container Runtime Interface v1, with the fields that a CNI test sets or reads.
 *  kubernetes/cri-api pkg/apis/runtime/v1/api.proto */
import { flag, int, many, map, message, one, text, texts } from './protobuf.ts'

export const EMPTY = message({})

const POD_METADATA = message({ name: text(1), uid: text(2), namespace: text(3), attempt: int(4) })
/** `protocol`: 0 TCP, 1 UDP, 2 SCTP. */
const PORT_MAPPING = message({ protocol: int(1), containerPort: int(2), hostPort: int(3), hostIp: text(4) })
const LINUX_POD = message({ cgroupParent: text(1) })

export const POD = message({
  metadata: one(1, POD_METADATA),
  hostname: text(2),
  logDirectory: text(3),
  portMappings: many(5, PORT_MAPPING),
  annotations: map(7),
  linux: one(8, LINUX_POD),
})
export type Pod = Parameters<typeof POD.encode>[0]

export const RUN_POD = message({ config: one(1, POD) })
/** What most calls take, and many return. */
export const ID = message({ id: text(1) })
export const VERBOSE_ID = message({ id: text(1), verbose: flag(2) })

const POD_IP = message({ ip: text(1) })
const POD_NETWORK = message({ ip: text(1), additionalIps: many(2, POD_IP) })
const POD_STATE = message({ id: text(1), state: int(3), network: one(5, POD_NETWORK) })
/** `status.state`: 0 ready, 1 not. */
export const POD_STATUS = message({ status: one(1, POD_STATE), info: map(2) })
export const PODS = message({ items: many(1, ID) })

const CONTAINER = message({
  metadata: one(1, message({ name: text(1), attempt: int(2) })),
  image: one(2, message({ image: text(1) })),
  command: texts(3),
})
export const CREATE_CONTAINER = message({
  podSandboxId: text(1),
  config: one(2, CONTAINER),
  sandboxConfig: one(3, POD),
})

export const EXEC = message({ containerId: text(1), cmd: texts(2), timeout: int(3) })
export const EXECUTED = message({ stdout: text(1), stderr: text(2), exitCode: int(3) })

const CONDITION = message({ type: text(1), status: flag(2), reason: text(3), message: text(4) })
export const STATUS = message({ status: one(1, message({ conditions: many(1, CONDITION) })) })
export const VERSION = message({ version: text(1), runtimeName: text(2), runtimeVersion: text(3) })
