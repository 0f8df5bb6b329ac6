import { expect, test } from 'vitest'
import { repeatedKeys } from './duplicate.ts'

const watch = (path: string) => path === 'sysctl'

test.for([
  ['nothing', '{"sysctl":{"a":"1","b":"1"},"other":{"a":"1"}}', []],
  ['a repeat', '{"sysctl":{"a":"1","b":"1","a":"1"}}', ['sysctl.a']],
  ['the same value', '{"SysCtl":{"a":"1","a":"1"}}', ['sysctl.a']],
  ['an escape that spells the same', '{"sysctl":{"net.a":"1","net\\u002ea":"2"}}', ['sysctl.net.a']],
  ['repeats elsewhere', '{"x":{"a":1,"a":2},"y":[{"a":1},{"a":2}]}', []],
  ['keys that look like values', '{"sysctl":{"a":"b","b":"a"}}', []],
  ['braces and quotes in text', '{"x":"{\\"sysctl\\":{","sysctl":{"a":"}","b":"\\\\"}}', []],
  ['deeper objects of the same name', '{"args":{"sysctl":{"a":"1","a":"1"}}}', []],
  ['arrays', '{"sysctl":["a","a"]}', []],
] as const)('repeatedKeys() in %s', ([, json, found]) => {
  expect(repeatedKeys(json, watch)).toEqual(found)
})
