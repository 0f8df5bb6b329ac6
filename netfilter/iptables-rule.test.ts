import fc from 'fast-check'
import { expect, test } from 'vitest'
import { argumentsOf, optionOf, quoteArgument, ruleKey, ruleOf, targetOf } from './iptables-rule.ts'

test.for([
  ['CNI-FORWARD', 'CNI-FORWARD'],
  ['10.1.0.0/16', '10.1.0.0/16'],
  ['name: "net" id: "c"', '"name: \\"net\\" id: \\"c\\""'],
  ['a\\b', '"a\\\\b"'],
  ["it's", '"it\'s"'],
  ['a b', '"a b"'],
] as const)('quoteArgument() writes %s as %s', ([text, quoted]) => {
  expect(quoteArgument(text)).toBe(quoted)
})

test.for([
  ['a newline', 'a\nCOMMIT'],
  ['NUL', 'a\0b'],
  ['a tab', 'a\tb'],
  ['nothing', ''],
  ['2,000 characters', 'x'.repeat(2000)],
] as const)('quoteArgument() refuses %s', ([, text]) => {
  expect(() => quoteArgument(text)).toThrow('cannot be an argument')
})

test('argumentsOf() is the inverse of ruleOf()', () => {
  const argument = fc.string({ minLength: 1, maxLength: 40 }).filter((text) => !/\p{Cc}/u.test(text))
  fc.assert(
    fc.property(fc.array(argument, { minLength: 1 }), (args) => {
      expect(argumentsOf(ruleOf(...args))).toEqual(args)
    }),
  )
})

test.for([
  ['-s 10.1.2.3 -j A', '-s 10.1.2.3/32 -j A'],
  ['-s fd00:0::1 -j A', '-s fd00::1/128 -j A'],
  ['-d 10.1.2.3/16 -j ACCEPT', '-d 10.1.0.0/16 -j ACCEPT'],
  ['-s 0.0.0.0/0 -j A', '-j A'],
  ['-j A -m comment --comment "x y"', '-m comment --comment "x y" -j A'],
  ['-p TCP --dport 80 -j A', '-p tcp -m tcp --dport 80 -j A'],
  ['-m multiport -p tcp --destination-ports 80,81 -j A', '-p tcp -m multiport --dports 80,81 -j A'],
  ['-m conntrack --ctstate RELATED,ESTABLISHED -j A', '-m conntrack --ctstate ESTABLISHED,RELATED -j A'],
  ['--source 10.0.0.1 --jump A', '-s 10.0.0.1/32 -j A'],
] as const)('ruleKey() takes "%s" and "%s" for the same', ([a, b]) => {
  expect(ruleKey(a)).toBe(ruleKey(b))
})

test.for([
  ['-s 10.1.2.3 -j A', '-d 10.1.2.3 -j A'],
  ['-d 224.0.0.0/4 -j A', '! -d 224.0.0.0/4 -j A'],
  ['-i br0 ! -o br0 -j A', '! -i br0 -o br0 -j A'],
  ['! -s 0.0.0.0/0 -j A', '-j A'],
  ['-j A', '-g A'],
  ['-m comment --comment x -j A', '-m comment --comment y -j A'],
] as const)('ruleKey() tells "%s" from "%s"', ([a, b]) => {
  expect(ruleKey(a)).not.toBe(ruleKey(b))
})

test('targetOf() and optionOf() read what iptables-save prints', () => {
  const rule = '-s 10.1.2.3/32 -m comment --comment "name: \\"net\\" id: \\"c\\"" -j CNI-A'
  expect([targetOf(rule), optionOf(rule, '--comment'), optionOf(rule, '-d')]).toEqual([
    'CNI-A',
    'name: "net" id: "c"',
    undefined,
  ])
})
