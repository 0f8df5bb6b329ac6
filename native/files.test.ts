import { afterAll, expect, test } from 'vitest'
import { cleanUp } from '../test/support/cleanup.ts'
import { outcomesOf, type Use } from '../test/support/same-files.ts'

afterAll(cleanUp)

const SUCCESSES: readonly [name: string, Use][] = [
  ['write and read text', (fs, d) => [fs.writeFileSync(`${d}/a`, 'héllo'), fs.readFileSync(`${d}/a`, 'utf8')]],
  ['read bytes', (fs, d) => [fs.writeFileSync(`${d}/a`, Uint8Array.of(1, 0, 255)), [...fs.readFileSync(`${d}/a`)]]],
  [
    'read text by options',
    (fs, d) => [fs.writeFileSync(`${d}/a`, 'x'), fs.readFileSync(`${d}/a`, { encoding: 'utf8' })],
  ],
  [
    'a file larger than any chunk',
    (fs, d) => [fs.writeFileSync(`${d}/a`, 'x'.repeat(300_000)), fs.readFileSync(`${d}/a`).length],
  ],
  ['a file without a size', (fs) => fs.readFileSync('/proc/self/comm', 'utf8').length > 0],
  [
    'append',
    (fs, d) => [fs.appendFileSync(`${d}/a`, 'x'), fs.appendFileSync(`${d}/a`, 'y'), fs.readFileSync(`${d}/a`, 'utf8')],
  ],
  ['mode of a new file', (fs, d) => [fs.writeFileSync(`${d}/a`, '', { mode: 0o600 }), fs.statSync(`${d}/a`).mode]],
  [
    'fchmod',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      fs.fchmodSync(fd, 0o640)
      return [fs.fstatSync(fd).mode, fs.closeSync(fd)]
    },
  ],
  [
    'truncate by opening',
    (fs, d) => [fs.writeFileSync(`${d}/a`, 'long'), fs.writeFileSync(`${d}/a`, 's'), fs.statSync(`${d}/a`).size],
  ],
  [
    'ftruncate',
    (fs, d) => {
      fs.writeFileSync(`${d}/a`, 'long')
      const fd = fs.openSync(`${d}/a`, 'r+')
      fs.ftruncateSync(fd, 2)
      fs.fsyncSync(fd)
      fs.closeSync(fd)
      return fs.readFileSync(`${d}/a`, 'utf8')
    },
  ],
  [
    'read at a position',
    (fs, d) => {
      fs.writeFileSync(`${d}/a`, 'abcdef')
      const fd = fs.openSync(`${d}/a`)
      const b = new Uint8Array(4)
      const n = fs.readSync(fd, b, 1, 2, 3)
      fs.closeSync(fd)
      return [n, [...b]]
    },
  ],
  [
    'read on from where it stands',
    (fs, d) => {
      fs.writeFileSync(`${d}/a`, 'abc')
      const fd = fs.openSync(`${d}/a`)
      const b = new Uint8Array(2)
      const n = [fs.readSync(fd, b, 0, 2, null), fs.readSync(fd, b, 0, 2, null), fs.readSync(fd, b, 0, 2, null)]
      fs.closeSync(fd)
      return [n, [...b]]
    },
  ],
  [
    'write returns bytes',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      const n = fs.writeSync(fd, 'é')
      fs.closeSync(fd)
      return n
    },
  ],
  [
    'write a part of the bytes',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      const n = [fs.writeSync(fd, Uint8Array.of(97, 98, 99, 100), 1, 2), fs.writeSync(fd, Uint8Array.of(101, 102), 1)]
      fs.closeSync(fd)
      return [n, fs.readFileSync(`${d}/a`, 'utf8')]
    },
  ],
  [
    'write at a position',
    (fs, d) => {
      fs.writeFileSync(`${d}/a`, 'abcdef')
      const fd = fs.openSync(`${d}/a`, 'r+')
      const n = fs.writeSync(fd, Uint8Array.of(88, 89, 90), 0, 2, 3)
      fs.closeSync(fd)
      return [n, fs.readFileSync(`${d}/a`, 'utf8')]
    },
  ],
  [
    'futimes',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      fs.futimesSync(fd, 1, 1234567890.125)
      const { mtimeMs } = fs.fstatSync(fd)
      fs.closeSync(fd)
      return mtimeMs
    },
  ],
  [
    'futimes far ahead',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      fs.futimesSync(fd, 0, 4102444800)
      const { mtimeMs } = fs.fstatSync(fd)
      fs.closeSync(fd)
      return mtimeMs
    },
  ],
  [
    'read latin1',
    (fs, d) => [
      fs.writeFileSync(
        `${d}/a`,
        Uint8Array.from({ length: 20_000 }, (_, i) => i & 255),
      ),
      fs.readFileSync(`${d}/a`, 'latin1'),
    ],
  ],
  [
    'exact numbers',
    (fs, d) => {
      const fd = fs.openSync(`${d}/a`, 'w')
      fs.futimesSync(fd, 1, 1234567890.123456)
      const { mtimeMs, mtimeNs, size, mode } = fs.fstatSync(fd, { bigint: true })
      fs.closeSync(fd)
      const { ino, dev, nlink } = fs.statSync('/proc/self/ns/net', { bigint: true })
      return [mtimeMs, mtimeNs, size, mode, ino, dev, nlink]
    },
  ],
  [
    'exclusive creation',
    (fs, d) => {
      fs.closeSync(fs.openSync(`${d}/a`, 'wx'))
      return fs.existsSync(`${d}/a`)
    },
  ],
  [
    'open with numeric flags',
    (fs, d) => {
      const { O_CREAT, O_WRONLY, O_EXCL } = fs.constants
      fs.closeSync(fs.openSync(`${d}/a`, O_CREAT | O_WRONLY | O_EXCL, 0o604))
      return fs.statSync(`${d}/a`).mode
    },
  ],
  [
    'kinds',
    (fs, d) => {
      fs.symlinkSync('/dev/null', `${d}/l`)
      return [
        fs.lstatSync(`${d}/l`).isSymbolicLink(),
        fs.statSync(`${d}/l`).isCharacterDevice(),
        fs.statSync(d).isDirectory(),
        fs.statSync(d).isFile(),
        fs.readlinkSync(`${d}/l`),
      ]
    },
  ],
  [
    'absence without an error',
    (fs, d) => [
      fs.statSync(`${d}/no`, { throwIfNoEntry: false }),
      fs.lstatSync(`${d}/no`, { throwIfNoEntry: false }),
      fs.existsSync(`${d}/no`),
    ],
  ],
  [
    'the numbers of a file',
    (fs) => {
      const { dev, ino, mode, nlink, uid, gid, size } = fs.statSync('/etc/passwd')
      return { dev, ino, mode, nlink, uid, gid, size, ms: Math.trunc(fs.statSync('/etc/passwd').mtimeMs) }
    },
  ],
  [
    'the numbers of a namespace',
    (fs) => {
      const { dev, ino } = fs.statSync('/proc/self/ns/net')
      return { dev, ino }
    },
  ],
  [
    'the kind of a file system',
    (fs) => [fs.statfsSync('/proc').type, fs.statfsSync('/proc/self/ns/net').type, fs.statfsSync('/').bsize],
  ],
  [
    'names of a folder',
    (fs, d) => [['c', 'a', '.hidden', 'é'].map((n) => fs.writeFileSync(`${d}/${n}`, '')), fs.readdirSync(d).toSorted()],
  ],
  [
    'names of a large folder',
    (fs, d) => {
      for (let i = 0; i < 400; i++) fs.writeFileSync(`${d}/${'x'.repeat(200)}${i}`, '')
      return fs.readdirSync(d).toSorted()
    },
  ],
  [
    'folders below folders',
    (fs, d) => [
      fs.mkdirSync(`${d}/a/b/c`, { recursive: true })?.endsWith('/a'),
      fs.mkdirSync(`${d}/a/b/c`, { recursive: true }),
      fs.statSync(`${d}/a/b/c`).isDirectory(),
    ],
  ],
  ['mode of a folder', (fs, d) => [fs.mkdirSync(`${d}/a`, { mode: 0o700 }), fs.statSync(`${d}/a`).mode]],
  [
    'a trailing slash',
    (fs, d) => [fs.mkdirSync(`${d}/a/b/`, { recursive: true })?.endsWith('/a'), fs.existsSync(`${d}/a/b`)],
  ],
  [
    'rename',
    (fs, d) => [
      fs.writeFileSync(`${d}/a`, '1'),
      fs.writeFileSync(`${d}/b`, '2'),
      fs.renameSync(`${d}/a`, `${d}/b`),
      fs.readFileSync(`${d}/b`, 'utf8'),
      fs.readdirSync(d),
    ],
  ],
  ['link', (fs, d) => [fs.writeFileSync(`${d}/a`, '1'), fs.linkSync(`${d}/a`, `${d}/b`), fs.statSync(`${d}/b`).nlink]],
  ['unlink', (fs, d) => [fs.writeFileSync(`${d}/a`, ''), fs.unlinkSync(`${d}/a`), fs.existsSync(`${d}/a`)]],
  ['rm of nothing, forced', (fs, d) => fs.rmSync(`${d}/no`, { force: true })],
  ['rmdir', (fs, d) => [fs.mkdirSync(`${d}/a`), fs.rmdirSync(`${d}/a`), fs.existsSync(`${d}/a`)]],
  ['access', (fs) => fs.accessSync('/etc/passwd', fs.constants.R_OK)],
]

test.each(SUCCESSES)('files does as node:fs does: %s', (_, use) => {
  const { mine, theirs } = outcomesOf(use)
  expect(mine).toEqual(theirs)
  expect(mine).toHaveProperty('returned')
})
