/** Refusals in kube-apiserver's words, recorded from 1.20. */

export interface Refusal {
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly metadata?: object
}

/** `Status` of apimachinery meta/v1. */
export const statusOf = ({ code, reason, message, metadata = {} }: Refusal): object => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata,
  status: 'Failure',
  message,
  reason,
  code,
})

export const UNAUTHORIZED: Refusal = { code: 401, reason: 'Unauthorized', message: 'Unauthorized' }

export const forbidden = (user: string, verb: string, resource: string, name: string): Refusal => ({
  code: 403,
  reason: 'Forbidden',
  message: `${resource.replace(/\/.*/, '')}${name === '' ? '' : ` "${name}"`} is forbidden: User "${user}" cannot ${verb} resource "${resource}" in API group "" at the cluster scope`,
})

export const notFound = (resource: string, name: string): Refusal => ({
  code: 404,
  reason: 'NotFound',
  message: `${resource} "${name}" not found`,
})

export const tooOld = (asked: number, oldest: number): Refusal => ({
  code: 410,
  reason: 'Expired',
  message: `too old resource version: ${asked} (${oldest})`,
})

export const CONTINUE_TOO_OLD: Refusal = {
  code: 410,
  reason: 'Expired',
  message:
    'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
}
