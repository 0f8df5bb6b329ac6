/** Loaded before each file of kernel tests: whatever the file made is removed when it ends. */
import { afterAll } from 'vitest'
import { cleanUp } from './cleanup.ts'

afterAll(cleanUp)
