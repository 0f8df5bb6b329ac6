/** flannel's annotations of a Node. flannel pkg/subnet/kube/annotations.go. */
import { DecodeError, quote } from '../../../addr/error.ts'

/** What flannel and podwire go by when `--kube-annotation-prefix` is left out. */
export const DEFAULT_PREFIX = 'flannel.alpha.coreos.com'

export interface AnnotationNames {
  /** "true" on a node that has a lease. */
  readonly managed: string
  readonly backendType: string
  readonly backendData: string
  readonly backendV6Data: string
  /** What the others reach the node by. */
  readonly publicIP: string
  readonly publicIPv6: string
  /** Set by hand: which address of the node's own is the public one. */
  readonly nodePublicIP: string
  readonly nodePublicIPv6: string
  /** Set by hand: what the others reach the node by where it is no address of the node's, as behind NAT. */
  readonly publicIPOverwrite: string
  readonly publicIPv6Overwrite: string
}

const PREFIX = /^(?:[a-z0-9_-]+\.)+[a-z0-9_-]+\/(?:[a-z0-9_-]+-)?$/

/** `example.com` stands for `example.com/`, and `example.com/pod` for `example.com/pod-`. */
const completed = (prefix: string): string => {
  const slashed = prefix.includes('/') ? prefix : `${prefix}/`
  return /[/-]$/.test(slashed) ? slashed : `${slashed}-`
}

/** The names with `prefix`, as `--kube-annotation-prefix` gives it. @throws DecodeError */
export const annotationNames = (prefix: string): AnnotationNames => {
  const start = completed(prefix)
  if (!PREFIX.test(start))
    throw new DecodeError(
      'kube-annotation-prefix',
      `${quote(prefix)} is not a domain of lower-case letters, digits, "-" and "_", with at most one "/" and more of these behind it, such as "${DEFAULT_PREFIX}" or "example.com/overlay"`,
    )
  return {
    managed: `${start}kube-subnet-manager`,
    backendType: `${start}backend-type`,
    backendData: `${start}backend-data`,
    backendV6Data: `${start}backend-v6-data`,
    publicIP: `${start}public-ip`,
    publicIPv6: `${start}public-ipv6`,
    nodePublicIP: `${start}node-public-ip`,
    nodePublicIPv6: `${start}node-public-ipv6`,
    publicIPOverwrite: `${start}public-ip-overwrite`,
    publicIPv6Overwrite: `${start}public-ipv6-overwrite`,
  }
}
