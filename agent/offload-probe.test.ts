import { expect, test } from 'vitest'
import type { Hearing } from './closed-port.ts'
import { hasChecksumBug, judge, type Verdict } from './offload-probe.ts'

test.for([
  ['3.10.0-1160.el7.x86_64', true],
  ['4.19.0-27-amd64', true],
  ['5.4.0-200-generic', true],
  ['5.6.19', true],
  ['5.7.0', false],
  ['5.10.0-32-amd64', false],
  ['6.1.0-41-amd64', false],
  ['10.0.0', false],
] as const)('hasChecksumBug(%s) is %s', ([release, expected]) => {
  expect(hasChecksumBug(release)).toBe(expected)
})

const CASES: readonly (readonly [hearings: readonly [Hearing, Hearing?, Hearing?], verdict: Verdict])[] = [
  [['answered'], 'sound'],
  [['unclear'], 'unreached'],
  [['silent', 'silent'], 'unknown'],
  [['silent', 'unclear'], 'unreached'],
  [['silent', 'answered', 'silent'], 'broken'],
  [['silent', 'answered', 'answered'], 'sound'],
  [['silent', 'answered', 'unclear'], 'unreached'],
]
test.for(CASES)('judge(%j) says %s', ([hearings, verdict]) => {
  expect(judge(...hearings).verdict).toBe(verdict)
})
