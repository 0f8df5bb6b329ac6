/** The etcd store and an etcd that does not let everybody in: TLS with certificates on both sides, users and roles. */
import { copyFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseIp } from '../../addr/ip.ts'
import { type EtcdStoreOptions, openEtcdStore } from '../../agent/store/etcd.ts'
import { type Claim, type LeaseStore, StoreError } from '../../agent/store/store.ts'
import { parseNetConf } from '../../overlay/net-conf.ts'
import { makePki, type Pair, type Pki } from '../kubernetes/pki.ts'
import { type Etcd, startEtcd, storeOptions } from './etcd-server.ts'
import { watchStore } from './watching.ts'

const CONF = parseNetConf('{"Network":"10.5.0.0/16"}')
const CLAIM: Claim = { publicIP: parseIp('192.0.2.1'), backendType: 'host-gw', data: {}, v6Data: {}, previous: [] }
const { signal } = new AbortController()

let etcd: Etcd
let opened: LeaseStore[] = []
const open = (more: Partial<EtcdStoreOptions>): LeaseStore => {
  const store = openEtcdStore(storeOptions(etcd.url, more))
  opened = [...opened, store]
  return store
}
afterEach(() => {
  for (const store of opened.splice(0)) store.close()
})

/** A lease acquired, watched and renewed. */
const works = async (store: LeaseStore): Promise<void> => {
  expect(await store.readNetConf(signal)).toBe('{"Network":"10.5.0.0/16"}')
  const own = await store.acquire(CLAIM, CONF, signal)
  const watch = watchStore(store)
  await watch.told(`all ${own.lease.key}`)
  await store.renew(own, CLAIM, signal)
  await watch.told(`all ${own.lease.key}`, `set ${own.lease.key} 192.0.2.1`)
  await watch.stop()
}

describe('over TLS, with client certificates', () => {
  let pki: Pki
  let client: Pair
  const tls = (more: Partial<EtcdStoreOptions> = {}): Partial<EtcdStoreOptions> => ({
    etcdCafile: pki.ca,
    etcdCertfile: client.cert,
    etcdKeyfile: client.key,
    ...more,
  })

  beforeAll(async () => {
    pki = makePki()
    const server = pki.server('etcd', ['127.0.0.1'])
    client = pki.client('podwire', 'nodes')
    etcd = await startEtcd({
      scheme: 'https',
      flags: [
        `--cert-file=${server.cert}`,
        `--key-file=${server.key}`,
        `--trusted-ca-file=${pki.ca}`,
        '--client-cert-auth',
      ],
      control: [`--cacert=${pki.ca}`, `--cert=${client.cert}`, `--key=${client.key}`],
    })
    etcd.control('put', '/coreos.com/network/config', '{"Network":"10.5.0.0/16"}')
  })
  afterAll(() => etcd.kill())

  test('all of it works', () => works(open(tls())))

  test('an endpoint without a scheme is spoken to by TLS when there are certificates', () =>
    works(open(tls({ etcdEndpoints: `127.0.0.1:${etcd.port}` }))))

  test.for<[name: string, options: () => Partial<EtcdStoreOptions>]>([
    ['a client without a certificate is not let in', () => tls({ etcdCertfile: '', etcdKeyfile: '' })],
    ['a server of another authority is not believed', () => tls({ etcdCafile: makePki().ca })],
    [
      'a client with a certificate of another authority is not let in',
      () => {
        const { key, cert } = makePki().client('podwire', 'nodes')
        return tls({ etcdCertfile: cert, etcdKeyfile: key })
      },
    ],
    ['nothing is sent in clear', () => tls({ etcdEndpoints: `http://127.0.0.1:${etcd.port}` })],
  ])('%s', async ([, options]) => {
    const reading = open({ ...options(), patience: 3000 }).readNetConf(signal)
    await expect(reading).rejects.toThrow(StoreError)
    await expect(reading).rejects.toThrow(/etcd does not answer: https?:\/\//)
  })

  test('a server whose certificate is for another address is not believed', async () => {
    const { cert, key } = pki.server('elsewhere', ['127.0.0.2'])
    const elsewhere = await startEtcd({
      scheme: 'https',
      flags: [`--cert-file=${cert}`, `--key-file=${key}`],
      control: [`--cacert=${pki.ca}`, '--insecure-skip-tls-verify'],
    })
    await expect(open(tls({ etcdEndpoints: elsewhere.url })).readNetConf(signal)).rejects.toThrow(
      "127.0.0.1 is not in the cert's list: 127.0.0.2",
    )
    await elsewhere.kill()
  })

  test('certificates that come later are taken with the next call', async () => {
    const folder = pki.folder
    const own = {
      etcdCafile: `${folder}/later-ca`,
      etcdCertfile: `${folder}/later-cert`,
      etcdKeyfile: `${folder}/later-key`,
    }
    const store = open(own)
    await expect(store.readNetConf(signal)).rejects.toThrow(StoreError)
    await expect(store.readNetConf(signal)).rejects.toThrow('--etcd-cafile cannot be read')
    const wrong = makePki()
    const stranger = wrong.client('podwire', 'nodes')
    for (const [from, to] of [
      [pki.ca, 'ca'],
      [stranger.cert, 'cert'],
      [stranger.key, 'key'],
    ] as const)
      copyFileSync(from, `${folder}/later-${to}`)
    await expect(store.readNetConf(signal)).rejects.toThrow(StoreError)
    copyFileSync(client.cert, `${folder}/later-cert`)
    copyFileSync(client.key, `${folder}/later-key`)
    await works(store)
  })
})

describe('with users', () => {
  const user = { etcdUsername: 'flannel', etcdPassword: 'secret' }
  beforeAll(async () => {
    etcd = await startEtcd({ flags: ['--auth-token-ttl=1'], control: ['--user=root:root'] })
    etcd.control('user', 'add', 'root:root')
    etcd.control('user', 'grant-role', 'root', 'root')
    etcd.control('role', 'add', 'network')
    etcd.control('role', 'grant-permission', 'network', '--prefix=true', 'readwrite', '/coreos.com/network/')
    etcd.control('user', 'add', 'flannel:secret')
    etcd.control('user', 'grant-role', 'flannel', 'network')
    etcd.control('user', 'add', 'other:secret')
    etcd.control('put', '/coreos.com/network/config', '{"Network":"10.5.0.0/16"}')
    etcd.control('auth', 'enable')
  })
  afterAll(() => etcd.kill())

  test('all of it works', () => works(open(user)))

  test('a token that has ended is replaced', async () => {
    const store = open(user)
    const own = await store.acquire(CLAIM, CONF, signal)
    await new Promise((resolve) => setTimeout(resolve, 3500))
    expect(await store.renew(own, CLAIM, signal)).toMatchObject({ lease: { key: own.lease.key } })
    await works(store)
  })

  test('a token that an etcd started anew does not know is replaced', async () => {
    const store = open(user)
    const own = await store.acquire(CLAIM, CONF, signal)
    await etcd.kill()
    await etcd.start()
    expect(await store.renew(own, CLAIM, signal)).toMatchObject({ lease: { key: own.lease.key } })
  })

  test.for<[name: string, options: Partial<EtcdStoreOptions>, why: string]>([
    ['a wrong password', { ...user, etcdPassword: 'wrong' }, 'is --etcd-username with its --etcd-password right?'],
    ['no user', {}, 'it asks for a user: give --etcd-username and --etcd-password'],
    [
      'a user without the role',
      { ...user, etcdUsername: 'other' },
      'user "other" needs a role with readwrite permission for the prefix',
    ],
  ])('%s is told as such', async ([, options, why]) => {
    const reading = open(options).readNetConf(signal)
    await expect(reading).rejects.toThrow(StoreError)
    await expect(reading).rejects.toThrow(`etcd does not read "/coreos.com/network/config": `)
    await expect(reading).rejects.toThrow(why)
  })

  test('a user is given in vain, and does no harm, where there are none', async () => {
    etcd.control('auth', 'disable')
    await works(open(user))
  })
})
