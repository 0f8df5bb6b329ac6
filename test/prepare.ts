/** Fetches and builds what the tests need beyond packages: run by `bin/setup.sh test`. Quick when all is there. */
import { newerContainerd } from './clients/cri/containerd.ts'
import { newerClient, stableClient } from './clients/libcni.ts'
import { cached } from './support/cache.ts'
import { unpackOwn } from './support/debian.ts'
import { guestKernel } from './vm/kernel.ts'

stableClient()
newerClient()
newerContainerd()
guestKernel()
cached('firewalld', 'firewalld', (draft) => unpackOwn(['firewalld'], draft))
