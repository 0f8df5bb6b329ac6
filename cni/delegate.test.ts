import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { executePlugin, findPlugin } from './delegate.ts'

const folder = mkdtempSync(join(tmpdir(), 'podwire-delegate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = (name: string, text: string, mode = 0o755): string => {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, mode)
  return path
}

test('findPlugin() takes the first executable file of that name', () => {
  const other = join(folder, 'other')
  mkdirSync(join(other, 'folder'), { recursive: true })
  copyFileSync(script('twice', 'exit 0'), join(other, 'twice'))
  script('plain', 'exit 0', 0o644)
  symlinkSync(join(folder, 'twice'), join(other, 'link'))
  expect(findPlugin('twice', ['/no/such', other, folder])).toEqual({ path: join(other, 'twice'), isSelf: false })
  expect(findPlugin('link', [folder, other]).path).toBe(join(other, 'link'))
  expect(() => findPlugin('plain', [folder])).toThrow('no plugin "plain"')
  expect(() => findPlugin('folder', [other])).toThrow('no plugin "folder"')
})

test('findPlugin() knows this very executable, through links', () => {
  symlinkSync(process.execPath, join(folder, 'self'))
  expect(findPlugin('self', [folder]).isSelf).toBe(true)
})

test('findPlugin() names the type and the folders searched', () =>
  expect(() => findPlugin('none', ['/a', '/b'])).toThrow(
    expect.objectContaining({
      code: 7,
      message: 'no plugin "none" in CNI_PATH',
      details: expect.stringContaining('"/a", "/b"'),
    }),
  ))

test.each(['', '../twice', '/bin/true', 'a/b'])('findPlugin() refuses %j', (type) =>
  expect(() => findPlugin(type, [folder, '/'])).toThrow(expect.objectContaining({ code: 7 })),
)

const env = {
  CNI_COMMAND: 'CHECK',
  CNI_CONTAINERID: 'c1',
  CNI_ARGS: 'A=B',
  PATH: process.env.PATH,
  TRACEPARENT: '00-x',
}
const stdin = '{ "cniVersion": "0.4.0",\n  "name": "é",  "Keys": [1.0] }\n'

test('executePlugin() hands over the environment, with the verb, and stdin as they are', () => {
  const path = script('tell', `env > ${folder}/env; cat > ${folder}/stdin; echo '{"ips":[{"address":"10.0.0.1/8"}]}'`)
  expect(executePlugin(path, 'ADD', env, stdin, '1.1.0')).toEqual({ ips: [{ address: '10.0.0.1/8' }] })
  expect(readFileSync(`${folder}/stdin`, 'utf8')).toBe(stdin)
  const told = readFileSync(`${folder}/env`, 'utf8').split('\n')
  expect(told).toEqual(
    expect.arrayContaining(['CNI_COMMAND=ADD', 'CNI_CONTAINERID=c1', 'CNI_ARGS=A=B', 'TRACEPARENT=00-x']),
  )
})

test.each([
  ['{"cniVersion":"0.2.0","ip4":{"ip":"10.0.0.1/8"}}', { ips: [{ address: '10.0.0.1/8' }], routes: [] }],
  ['{}', {}],
  ['null', {}],
])('executePlugin() reads the result %s', (text, result) =>
  expect(executePlugin(script('result', `echo '${text}'`), 'ADD', env, stdin, '0.4.0')).toEqual(result),
)

test.each(['DEL', 'CHECK', 'GC', 'STATUS'] as const)(
  'executePlugin() of %s returns nothing, whatever is printed',
  (verb) => expect(executePlugin(script('chatty', 'echo hello'), verb, env, stdin, '1.1.0')).toBeUndefined(),
)

test.each<[string, string, object]>([
  [
    'its own error',
    `echo '{"code":11,"msg":"busy","details":"later"}'; exit 1`,
    { code: 11, message: 'busy', details: 'later' },
  ],
  ['an error without details', `echo '{"code":999,"msg":"x"}'; exit 1`, { code: 999, message: 'x', details: '' }],
  ['text on stdout', 'echo oops; exit 3', { code: 5, message: expect.stringContaining('status 3'), details: 'oops' }],
  ['text on stderr', 'echo oops >&2; exit 1', { code: 5, details: 'oops' }],
  ['a signal', 'kill -9 $$', { code: 5, message: expect.stringContaining('SIGKILL') }],
  ['JSON that is no error', `echo '[1]'; exit 1`, { code: 5, details: '[1]' }],
])('executePlugin() throws %s', (_, text, expected) =>
  expect(() => executePlugin(script('failing', text), 'DEL', env, stdin, '1.1.0')).toThrow(
    expect.objectContaining(expected),
  ),
)

test.each(['', 'hello', '{"ips":[{}]}', '[]', '{"ips":[{"address":"x"}]}'])(
  'executePlugin() refuses the result %j with code 6',
  (text) =>
    expect(() => executePlugin(script('wrong', `printf '%s' '${text}'`), 'ADD', env, stdin, '1.1.0')).toThrow(
      expect.objectContaining({ code: 6, message: expect.stringContaining(join(folder, 'wrong')) }),
    ),
)

test('executePlugin() says what cannot be run', () => {
  const path = join(folder, 'badly')
  writeFileSync(path, '#!/no/such/interpreter\n', { mode: 0o755 })
  expect(() => executePlugin(path, 'ADD', env, stdin, '1.1.0')).toThrow(
    expect.objectContaining({ code: 5, message: `cannot run "${path}"` }),
  )
})

test('executePlugin() does not wait for a plugin to read stdin', () =>
  expect(
    executePlugin(script('deaf', 'exec <&-; exit 0'), 'DEL', env, `${stdin}${' '.repeat(1 << 20)}`, '1.1.0'),
  ).toBeUndefined())

const versions = (list: string): string =>
  script('versions', `echo '{"cniVersion":"1.0.0","supportedVersions":${list}}'`)

test('executePlugin() of VERSION passes when the plugin supports the version, and throws code 1 else', () => {
  expect(executePlugin(versions('["1.0.0","1.1.0"]'), 'VERSION', env, stdin, '1.1.0')).toBeUndefined()
  expect(() => executePlugin(versions('["1.0.0"]'), 'VERSION', env, stdin, '1.1.0')).toThrow(
    expect.objectContaining({ code: 1, message: expect.stringContaining('cniVersion 1.1.0') }),
  )
})
