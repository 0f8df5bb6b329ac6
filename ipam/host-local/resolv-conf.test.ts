import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import { parseResolvConf, readResolvConf } from './resolv-conf.ts'

test('parseResolvConf() reads every keyword as upstream does', () => {
  const text = `# comment
; comment
nameserver 192.0.2.1
  nameserver\t192.0.2.2  extra
domain a.example
domain b.example
search x.example y.example
search z.example
options ndots:5 timeout:1
options edns0
sortlist 10.0.0.0
nameserver
nonsense`
  expect(parseResolvConf(text)).toEqual({
    nameservers: ['192.0.2.1', '192.0.2.2'],
    domain: 'b.example',
    search: ['x.example', 'y.example', 'z.example'],
    options: ['ndots:5', 'timeout:1', 'edns0'],
  })
})

test('parseResolvConf() of an empty file states nothing', () => {
  expect(parseResolvConf('')).toEqual({ nameservers: [], search: [], options: [] })
})

test('readResolvConf() names the file it cannot read', () => {
  expect(() => readResolvConf('/no/such/file')).toThrow(
    expect.objectContaining({ code: 5, message: expect.stringContaining('"/no/such/file"') }),
  )
})

test('readResolvConf() waits for no pipe and reads no device to its end', () => {
  const folder = mkdtempSync(`${tmpdir()}/podwire-`)
  try {
    execFileSync('mkfifo', [`${folder}/pipe`])
    for (const path of [`${folder}/pipe`, '/dev/null', '/dev/zero'])
      expect([path, readResolvConf(path).nameservers]).toEqual([path, []])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
