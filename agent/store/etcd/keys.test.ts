import { expect, test } from 'vitest'
import { keysOf, leaseIn } from './keys.ts'

/** flannel joins with Go's path.Join. */
test.for<[prefix: string, config: string, subnets: string]>([
  ['/coreos.com/network', '/coreos.com/network/config', '/coreos.com/network/subnets/'],
  ['/coreos.com/network/', '/coreos.com/network/config', '/coreos.com/network/subnets/'],
  ['/vxlan//network', '/vxlan/network/config', '/vxlan/network/subnets/'],
  ['network', 'network/config', 'network/subnets/'],
  ['', 'config', 'subnets/'],
])('keysOf() of %j', ([prefix, config, subnets]) => {
  expect(keysOf(prefix)).toEqual({ config, subnets, end: `${subnets.slice(0, -1)}0` })
})

const KEYS = keysOf('/net')
const kv = (key: string, value: string) => ({
  key,
  value,
  create_revision: 1n,
  mod_revision: 1n,
  version: 1n,
  lease: 0n,
})

test('leaseIn() is a lease, by its key below the prefix', () => {
  expect(leaseIn(KEYS, kv('/net/subnets/10.5.1.0-24', '{"PublicIP":"192.0.2.1"}'))).toMatchObject({
    kind: 'lease',
    lease: { key: '10.5.1.0-24', subnet: '10.5.1.0/24', publicIP: '192.0.2.1' },
  })
})

test.for<[key: string, value: string, why: string]>([
  ['10.5.1.0-24', '', 'empty'],
  ['10.5.1.0-24', '[]', 'object'],
  ['10.5.1.0-24/more', '{}', 'names no subnet'],
  ['', '{}', 'names no subnet'],
])('leaseIn() says of %j holding %j that it is none, and why', ([key, value, why]) => {
  expect(leaseIn(KEYS, kv(`/net/subnets/${key}`, value))).toEqual({
    kind: 'invalid',
    key,
    why: expect.stringMatching(new RegExp(`^/net/subnets/${key}: .*${why}`)),
  })
})
