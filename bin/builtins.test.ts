/** The bodies of `builtins.ts` against the engine's own: each expression must give the same in a realm with them. */
import { readFileSync } from 'node:fs'
import { type Context, createContext, runInContext } from 'node:vm'
import { transformSync } from 'esbuild'
import { expect, test } from 'vitest'

const source = readFileSync(new URL('./builtins.ts', import.meta.url), 'utf8')
const { code } = transformSync(source, { loader: 'ts', format: 'cjs', target: 'es2023' })

const realm = (script: string): Context => {
  const context = createContext({})
  runInContext(script, context)
  return context
}
const own = realm(code)
const native = realm('')

/** What `expression` gives, as text that tells values and kinds apart, or what it throws. */
const valueIn = (context: Context, expression: string): unknown => {
  const show = `(v) => Object.prototype.toString.call(v) + JSON.stringify(v, (k, x) => x === undefined ? 'undefined' : x)`
  return runInContext(`try { (${show})(${expression}) } catch (error) { error.name }`, context)
}

const CALLBACKS = '(x, i, all) => [x, i, all.length]'
const EXPRESSIONS: readonly string[] = [
  ...['[]', '[3]', '[3, 1, 2]', '["b", undefined, null]', '[[1], [2, [3]], 4]'].flatMap((list) => [
    `${list}.map(${CALLBACKS})`,
    `${list}.map((x) => x)`,
    `${list}.filter((x, i) => i % 2 === 0)`,
    `${list}.filter((x) => x)`,
    `${list}.flatMap(${CALLBACKS})`,
    `${list}.flatMap((x) => x)`,
    `${list}.find((x) => x > 1)`,
    `${list}.find((x, i) => i === 1)`,
    `${list}.findIndex((x) => x === 1)`,
    `${list}.some((x) => x === 2)`,
    `${list}.every((x) => x === 3)`,
    `${list}.every((x, i) => i < 2)`,
    `${list}.reduce((sum, x, i) => sum + String(x) + i)`,
    `${list}.reduce((sum, x, i) => sum + String(x) + i, 'start')`,
    `${list}.reduce((sum, x) => sum, undefined)`,
    `(() => { const seen = []; ${list}.forEach((x, i) => seen.push([i, x])); return seen })()`,
    ...[-4, -1, 0, 1, 4].map((i) => `${list}.at(${i})`),
    `Array.from(${list})`,
    `Array.from(${list}, (x, i) => [i, x])`,
    `Array.from(new Set(${list}))`,
  ]),
  'Object.keys(Array.prototype)',
  '(() => { const keys = []; for (const key in [1]) keys.push(key); return keys })()',
  'Object.fromEntries([])',
  'Object.fromEntries([["a", 1], ["b", undefined], ["a", 2]])',
  'Object.fromEntries(new Map([["x", [1]]]))',
  'Object.getOwnPropertyNames(Object.fromEntries([["__proto__", 1]]))',
  'Object.getPrototypeOf(Object.fromEntries([["__proto__", null]])) === Object.prototype',
  'Array.from("añ😀")',
  'Array.from({ length: 3 })',
  'Array.from({ length: 3 }, (_, i) => i * i)',
  'Array.from(new Map([[1, 2]]).entries())',
  'Array.from(new Uint8Array([1, 2]), (byte) => byte + 1)',
  'Uint8Array.from([1, 256, -1])',
  'Uint8Array.from([1, 2], (x, i) => x * 10 + i)',
  'Uint8Array.from({ length: 2 }, (_, i) => i)',
  'Uint8Array.from(new Set([7]))',
  'Uint8Array.from("12", Number)',
]

test.for(EXPRESSIONS)('%s', (expression) => {
  expect(valueIn(own, expression)).toBe(valueIn(native, expression))
})

test('the realm under test has the bodies of builtins.ts', () => {
  const replaced = 'Array.prototype.map.toString().includes("[native code]")'
  expect([runInContext(replaced, own), runInContext(replaced, native)]).toEqual([false, true])
})
