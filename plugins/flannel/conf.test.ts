import { expect, test } from 'vitest'
import { callOf } from '../../test/support/call.ts'
import { parseFlannelConf } from './conf.ts'

test.for([
  ['upstream’s defaults', {}, '/run/flannel/subnet.env', '/var/lib/cni/flannel'],
  ['what is configured', { subnetFile: '/a/b', dataDir: '/c' }, '/a/b', '/c'],
  ['the defaults for empty text', { subnetFile: '', dataDir: '' }, '/run/flannel/subnet.env', '/var/lib/cni/flannel'],
] as const)('parseFlannelConf() takes %s', ([, keys, subnetFile, dataDir]) =>
  expect(parseFlannelConf(callOf({ type: 'flannel', ...keys }))).toEqual({ subnetFile, dataDir }),
)

test('parseFlannelConf() refuses a delegate with a name, and flannel as its own', () => {
  expect(() => parseFlannelConf(callOf({ type: 'flannel', delegate: { name: 'x' } }))).toThrow('$.delegate.name')
  expect(() => parseFlannelConf(callOf({ type: 'flannel', delegate: { type: 'flannel' } }))).toThrow('$.delegate.type')
})
