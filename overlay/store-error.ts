/** What a store of leases fails with. Here, and not with the agent, because the plugin `vxlan` reads a store too. */

/** The store cannot be used now: what was asked of whom, and why not. Trying again may help. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}

/** The own lease is not this node's any more: a new one must be acquired. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}
