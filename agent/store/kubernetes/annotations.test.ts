import { expect, test } from 'vitest'
import { DecodeError } from '../../../addr/error.ts'
import { annotationNames, DEFAULT_PREFIX } from './annotations.ts'

test('annotationNames() has flannel’s names', () => {
  expect(Object.values(annotationNames(DEFAULT_PREFIX)).map((name) => name.replace(`${DEFAULT_PREFIX}/`, ''))).toEqual([
    'kube-subnet-manager',
    'backend-type',
    'backend-data',
    'backend-v6-data',
    'public-ip',
    'public-ipv6',
    'node-public-ip',
    'node-public-ipv6',
    'public-ip-overwrite',
    'public-ipv6-overwrite',
  ])
})

// flannel pkg/subnet/kube/annotations_test.go has the like
test.for([
  ['flannel.alpha.coreos.com', 'flannel.alpha.coreos.com/backend-type'],
  ['flannel.alpha.coreos.com/', 'flannel.alpha.coreos.com/backend-type'],
  ['a.b.foo.bar/', 'a.b.foo.bar/backend-type'],
  ['foo.bar/something', 'foo.bar/something-backend-type'],
  ['foo.bar/something-', 'foo.bar/something-backend-type'],
  ['foo.bar/some_thing-1', 'foo.bar/some_thing-1-backend-type'],
])('annotationNames(%j) begins as that prefix does', ([prefix = '', name]) => {
  expect(annotationNames(prefix).backendType).toBe(name)
})

test.for([
  '',
  '/',
  'org',
  'org/',
  'a.b/c/d',
  'foo.bar/some/thing',
  'Foo.bar',
  'foo.bar/Something',
  'foo bar.com/x',
  'foo.bar/a.b',
  ' foo.bar',
  'evil\nfoo.bar',
])('annotationNames(%j) refuses the prefix', (prefix) => {
  const act = () => annotationNames(prefix)
  expect(act).toThrow(DecodeError)
  expect(act).toThrow('kube-annotation-prefix: ')
  expect(act).toThrow('at most one "/"')
})
