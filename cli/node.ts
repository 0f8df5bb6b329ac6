/** `podwire node`: what people see of the node layer. */
import { Command } from 'commander'
import { leaseCommand } from './node/lease.ts'
import { pingCommand } from './node/ping.ts'
import { statusCommand } from './node/status.ts'

export const nodeCommand = (): Command =>
  new Command('node')
    .description("this node's overlay: its state, and which peers are reached")
    .addCommand(statusCommand())
    .addCommand(pingCommand())
    .addCommand(leaseCommand(), { hidden: true })
