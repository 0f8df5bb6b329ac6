/** gRPC: HTTP/2 streams, keepalive, TLS. Messages are our own (`messages.ts`): of a library for .proto files it would load
 *  them at run time. */
export { Client, credentials, Metadata, status } from '@grpc/grpc-js'
