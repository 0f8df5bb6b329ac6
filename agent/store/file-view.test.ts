import { mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../overlay/lease-folder.ts'
import { type FolderView, openView } from './file-view.ts'
import type { LeaseEvent } from './store.ts'

let folder: string
let events: LeaseEvent[]
let view: FolderView
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pw-view-'))
  makeFolder(folder)
  events = []
  view = openView(
    folder,
    (event) => events.push(event),
    (act) => act(),
  )
})
afterEach(() => {
  view.close()
  rmSync(folder, { recursive: true })
})

const pathOf = (n: number): string => `${folder}/subnets/10.5.${n}.0-24.json`
const put = (n: number, publicIP: string): void => {
  writeFileSync(`${folder}/draft`, `{"PublicIP":"${publicIP}","BackendType":"host-gw"}`)
  renameSync(`${folder}/draft`, pathOf(n))
}
const words = (): readonly string[] => events.map((event) => `${event.kind} ${event.kind === 'gone' ? event.key : ''}`)

test('rescan() finds what has changed since, by times alone', () => {
  put(1, '192.0.2.1')
  put(2, '192.0.2.2')
  put(3, '192.0.2.3')
  view.load()
  put(2, '192.0.2.9')
  unlinkSync(pathOf(3))
  put(4, '192.0.2.4')
  view.rescan()
  expect(words()).toEqual(['all ', 'set ', 'gone 10.5.3.0-24', 'set '])
  expect(events[1]).toMatchObject({ lease: { key: '10.5.2.0-24', publicIP: '192.0.2.9' } })
  expect(events[3]).toMatchObject({ lease: { key: '10.5.4.0-24' } })
})

test('rescan() tells nothing of what is as it was', () => {
  put(1, '192.0.2.1')
  writeFileSync(pathOf(2), '{"PublicIP":"192.0.2.2","Expiration":"2020-01-01T00:00:00Z"}')
  view.load()
  put(1, '192.0.2.1')
  view.rescan()
  view.rescan()
  expect(words()).toEqual(['all '])
})

test('refresh() reads the one file it is asked to', () => {
  view.load()
  put(1, '192.0.2.1')
  put(2, '192.0.2.2')
  view.refresh('10.5.2.0-24')
  expect(events.slice(1)).toMatchObject([{ kind: 'set', lease: { key: '10.5.2.0-24' } }])
})

test('refresh() takes a second look before it calls a file invalid, and tells it once', async () => {
  put(1, '192.0.2.1')
  view.load()
  writeFileSync(pathOf(1), '{')
  view.refresh('10.5.1.0-24')
  view.refresh('10.5.1.0-24')
  expect(words()).toEqual(['all '])
  await expect.poll(words, { timeout: 10_000 }).toEqual(['all ', 'invalid '])
  view.rescan()
  expect(words()).toEqual(['all ', 'invalid '])
})
