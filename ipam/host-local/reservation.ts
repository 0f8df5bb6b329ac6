/** A reservation: a file named by its address, holding its owner. The format is upstream's
 *  (`plugins/ipam/host-local/backend/disk`), which reads these files too. */
import type { AttachmentId } from '../../cni/plugin.ts'

/** What the file holds, without white space at its ends. */
export const keyOf = ({ containerID, ifName }: AttachmentId): string => `${containerID}\r\n${ifName}`
/** What it holds when written before upstream 0.7: it stands for every interface of the container. */
export const oldKeyOf = ({ containerID }: AttachmentId): string => containerID

/** Owner of a reservation; `ifName` is undefined in the old format. */
export interface Holder {
  readonly containerID: string
  readonly ifName: string | undefined
}

export const holderIn = (key: string): Holder => {
  const [containerID = '', ifName] = key.split(/\r?\n/)
  return { containerID, ifName }
}

export const renderHolder = ({ containerID, ifName }: Holder): string =>
  ifName === undefined ? `container ${containerID}` : `interface ${ifName} of container ${containerID}`

/** Whether what a file holds names an owner among `valid`; in the old format any interface of the container will do. */
export const isAmong = (valid: readonly AttachmentId[]): ((key: string) => boolean) => {
  const keys = new Set(valid.flatMap((id) => [keyOf(id), oldKeyOf(id)]))
  return (key) => keys.has(key)
}

/** Where the last address of range set `set` is kept, as text. */
export const lastReservedName = (set: number): string => `last_reserved_ip.${set}`
