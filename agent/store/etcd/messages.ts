/** The messages and methods of etcd that are used, names and numbers as in etcd's api/etcdserverpb/rpc.proto and
 *  api/mvccpb/kv.proto. Keys and values are bytes there; here they are text. */
import { bool, int64, type Message, many, message, one, text } from './protobuf.ts'

const ResponseHeader = message({ cluster_id: int64(1), member_id: int64(2), revision: int64(3), raft_term: int64(4) })

export const KeyValue = message({
  key: text(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: text(5),
  lease: int64(6),
})
export type KeyValue = ReturnType<typeof KeyValue.decode>

const RangeRequest = message({ key: text(1), range_end: text(2) })
const RangeResponse = message({ header: one(1, ResponseHeader), kvs: many(2, KeyValue) })

const PutRequest = message({ key: text(1), value: text(2), lease: int64(3) })
const DeleteRangeRequest = message({ key: text(1), range_end: text(2) })
const RequestOp = message({ request_put: one(2, PutRequest), request_delete_range: one(3, DeleteRangeRequest) })

/** `result` is EQUAL throughout. */
const Compare = message({ target: int64(2), key: text(3), version: int64(4), mod_revision: int64(6) })
export const TARGET_VERSION = 0n
export const TARGET_MOD = 2n

const TxnRequest = message({ compare: many(1, Compare), success: many(2, RequestOp) })
const TxnResponse = message({ header: one(1, ResponseHeader), succeeded: bool(2) })

const LeaseGrantRequest = message({ TTL: int64(1), ID: int64(2) })
const LeaseGrantResponse = message({ ID: int64(2), TTL: int64(3), error: text(4) })
const LeaseRevokeRequest = message({ ID: int64(1) })
const Nothing = message({})

const AuthenticateRequest = message({ name: text(1), password: text(2) })
const AuthenticateResponse = message({ token: text(2) })

const WatchCreateRequest = message({
  key: text(1),
  range_end: text(2),
  start_revision: int64(3),
  progress_notify: bool(4),
})
const Event = message({ type: int64(1), kv: one(2, KeyValue) })
export const EVENT_DELETE = 1n
export const WatchRequest = message({ create_request: one(1, WatchCreateRequest) })
export const WatchResponse = message({
  header: one(1, ResponseHeader),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: text(6),
  events: many(11, Event),
})
export type WatchResponse = ReturnType<typeof WatchResponse.decode>
export type Header = ReturnType<typeof ResponseHeader.decode>

export interface Method<Out, In> {
  readonly path: string
  readonly request: Pick<Message<unknown, In>, 'encode'>
  readonly response: Pick<Message<Out, unknown>, 'decode'>
}

export const RANGE = { path: '/etcdserverpb.KV/Range', request: RangeRequest, response: RangeResponse }
export const TXN = { path: '/etcdserverpb.KV/Txn', request: TxnRequest, response: TxnResponse }
export const LEASE_GRANT = {
  path: '/etcdserverpb.Lease/LeaseGrant',
  request: LeaseGrantRequest,
  response: LeaseGrantResponse,
}
export const LEASE_REVOKE = { path: '/etcdserverpb.Lease/LeaseRevoke', request: LeaseRevokeRequest, response: Nothing }
export const AUTHENTICATE = {
  path: '/etcdserverpb.Auth/Authenticate',
  request: AuthenticateRequest,
  response: AuthenticateResponse,
}
export const WATCH_PATH = '/etcdserverpb.Watch/Watch'
