/** Plugins of an older Debian: the last that had `flannel` among them, containernetworking-plugins 0.9.0. */
import { cached } from '../support/cache.ts'
import { unpackOlder } from '../support/debian.ts'

const RELEASE = 'bullseye'

/** Their folder. */
export const olderPlugins = (): string => {
  const folder = cached(`plugins-${RELEASE}`, `the reference’s flannel, of Debian ${RELEASE}`, (draft) =>
    unpackOlder(RELEASE, ['containernetworking-plugins'], draft),
  )
  return `${folder}/usr/lib/cni`
}
