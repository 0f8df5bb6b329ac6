/** A `Call` as cni/skel.ts would make it, for tests of parsers and planners. */
import type { Call, NetConf } from '../../cni/plugin.ts'

export const callOf = (conf: object, more: Partial<Call> = {}): Call => ({
  verb: 'ADD',
  containerID: 'c1',
  netns: '/run/netns/pod',
  ifName: 'eth0',
  args: {},
  path: [],
  conf: { cniVersion: '1.1.0', name: 'net', type: 'test', ...conf } as NetConf,
  stdin: '',
  prevResult: undefined,
  valid: [],
  delegate: () => undefined,
  ...more,
})
