/** Fetches and builds what the tests need beyond packages: run by `bin/setup.sh test`. Quick when all is there. What cannot
 *  be had now is named, and had again by the test that needs it. */
import { newerContainerd } from './clients/cri/containerd.ts'
import { newerClient, stableClient } from './clients/libcni.ts'
import { olderPlugins } from './clients/older-plugins.ts'
import { cached } from './support/cache.ts'
import { unpackOwn } from './support/debian.ts'
import { guestKernel } from './vm/kernel.ts'

const firewalld = () => cached('firewalld', 'firewalld', (draft) => unpackOwn(['firewalld'], draft))

for (const prepare of [stableClient, newerClient, newerContainerd, olderPlugins, firewalld, guestKernel]) {
  try {
    prepare()
  } catch (error) {
    console.error(String(error))
  }
}
