import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { cleanUp, makeFolder } from '../../test/support/cleanup.ts'
import { knownLease, readLease } from './lease.ts'

afterAll(cleanUp)

const file = `${makeFolder('lease')}/subnet.env`

test.for<[string, string | undefined, string]>([
  ['is not there', undefined, 'it does not exist'],
  ['is empty', '', 'lacks FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK, FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET, FLANNEL_MTU'],
  ['is half written', 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.1.1/24\nFLANNEL_MT', 'lacks FLANNEL_MTU'],
  ['holds no subnet', 'FLANNEL_NETWORK=x\nFLANNEL_SUBNET=y\nFLANNEL_MTU=1\nFLANNEL_IPMASQ=true', 'FLANNEL_SUBNET: "y"'],
])('readLease() of a file that %s fails with the code it is given, and says what to do', ([, text, why]) => {
  if (text !== undefined) writeFileSync(file, text)
  expect(() => readLease(file, 11)).toThrow(
    expect.objectContaining({
      code: 11,
      message: expect.stringContaining(`${JSON.stringify(file)}: `),
      details: expect.stringContaining('podwire agent'),
    }),
  )
  expect(() => readLease(file, 50)).toThrow(why)
  expect(knownLease(file)).toBe(undefined)
})
