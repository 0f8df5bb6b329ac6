import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CniError } from '../cni/error.ts'
import { makeFolder } from '../test/support/cleanup.ts'
import { takeLock } from './lock.ts'

test('takeLock() lets one in at a time, and names it', () => {
  const folder = makeFolder('lock')
  const release = takeLock(folder)
  expect(readFileSync(`${folder}/agent.lock`, 'utf8')).toBe(`${process.pid}\n`)
  expect(() => takeLock(folder)).toThrow(CniError)
  expect(() => takeLock(folder)).toThrow(`another agent runs on this node, with process id ${process.pid}`)
  release()
  takeLock(folder)()
})

test.each([
  ['a new one', undefined],
  ['one that is there', 0o644],
])('takeLock() leaves %s to its user alone: who may read a file may lock it', (_, mode) => {
  const folder = makeFolder('lock')
  if (mode !== undefined) writeFileSync(`${folder}/agent.lock`, '', { mode })
  takeLock(folder)()
  expect(statSync(`${folder}/agent.lock`).mode & 0o777).toBe(0o600)
})
