import { expect, test } from 'vitest'
import { socketPath } from './dbus.ts'

test.for([
  ['unix:path=/run/dbus/system_bus_socket', '/run/dbus/system_bus_socket'],
  ['unix:guid=12,path=/run/x,other=1', '/run/x'],
  ['unix:path=/run/a%20b', '/run/a b'],
  ['tcp:host=localhost;unix:path=/run/x', '/run/x'],
  ['unix:abstract=/tmp/x', undefined],
  ['', undefined],
] as const)('socketPath() of "%s"', ([address, path]) => {
  expect(socketPath(address)).toBe(path)
})
