/** Built-in methods with their bodies in the bundle. JavaScriptCore has these written in JavaScript and compiles each at its
 *  first call, 60 to 290 us a method and exec (measured); code of the bundle is compiled at build. Imported first by every
 *  plugin's program, and by nothing that Node runs. As ECMA-262 has them for what podwire's own code asks: arrays without
 *  holes, callbacks without a `this`. */

type Callback<R> = (item: unknown, index: number, items: readonly unknown[]) => R

const array = Array.prototype as unknown as Record<string, unknown>

array['map'] = function map(this: readonly unknown[], callback: Callback<unknown>): unknown[] {
  const { length } = this
  const mapped = new Array<unknown>(length)
  for (let i = 0; i < length; i++) mapped[i] = callback(this[i], i, this)
  return mapped
}

array['filter'] = function filter(this: readonly unknown[], callback: Callback<unknown>): unknown[] {
  const kept: unknown[] = []
  for (let i = 0; i < this.length; i++) if (callback(this[i], i, this)) kept.push(this[i])
  return kept
}

array['flatMap'] = function flatMap(this: readonly unknown[], callback: Callback<unknown>): unknown[] {
  const flat: unknown[] = []
  for (let i = 0; i < this.length; i++) {
    const items = callback(this[i], i, this)
    if (Array.isArray(items)) for (let k = 0; k < items.length; k++) flat.push(items[k])
    else flat.push(items)
  }
  return flat
}

array['forEach'] = function forEach(this: readonly unknown[], callback: Callback<void>): void {
  for (let i = 0; i < this.length; i++) callback(this[i], i, this)
}

array['find'] = function find(this: readonly unknown[], callback: Callback<unknown>): unknown {
  for (let i = 0; i < this.length; i++) if (callback(this[i], i, this)) return this[i]
  return undefined
}

array['findIndex'] = function findIndex(this: readonly unknown[], callback: Callback<unknown>): number {
  for (let i = 0; i < this.length; i++) if (callback(this[i], i, this)) return i
  return -1
}

array['some'] = function some(this: readonly unknown[], callback: Callback<unknown>): boolean {
  for (let i = 0; i < this.length; i++) if (callback(this[i], i, this)) return true
  return false
}

array['every'] = function every(this: readonly unknown[], callback: Callback<unknown>): boolean {
  for (let i = 0; i < this.length; i++) if (!callback(this[i], i, this)) return false
  return true
}

array['reduce'] = function reduce(
  this: readonly unknown[],
  callback: (sum: unknown, item: unknown, index: number, items: readonly unknown[]) => unknown,
  ...initial: readonly unknown[]
): unknown {
  if (this.length === 0 && initial.length === 0) throw new TypeError('reduce of an empty array with no initial value')
  let sum = initial.length === 0 ? this[0] : initial[0]
  for (let i = initial.length === 0 ? 1 : 0; i < this.length; i++) sum = callback(sum, this[i], i, this)
  return sum
}

array['at'] = function at(this: readonly unknown[], index: number): unknown {
  return this[index < 0 ? this.length + index : index]
}

Object.fromEntries = (entries: Iterable<readonly unknown[]>): Record<string, unknown> => {
  const object: Record<string, unknown> = {}
  for (const [key, value] of entries) Object.defineProperty(object, key as string, plain(value))
  return object
}

/** What an ordinary member is. Assignment would take the key `__proto__` for the prototype. */
const plain = (value: unknown): PropertyDescriptor => ({
  value,
  configurable: true,
  enumerable: true,
  writable: true,
})

/** The items of what can be iterated, else of what has a length. */
const itemsOf = (from: Partial<Iterable<unknown>> & ArrayLike<unknown>): unknown[] => {
  const items: unknown[] = []
  if (from[Symbol.iterator] !== undefined) for (const item of from as Iterable<unknown>) items.push(item)
  else for (let i = 0; i < from.length; i++) items.push(from[i])
  return items
}

const mapped = (items: unknown[], map?: (item: unknown, index: number) => unknown): unknown[] => {
  if (map !== undefined) for (let i = 0; i < items.length; i++) items[i] = map(items[i], i)
  return items
}

Array.from = ((from: ArrayLike<unknown>, map?: (item: unknown, index: number) => unknown) =>
  mapped(itemsOf(from), map)) as typeof Array.from

Uint8Array.from = ((from: ArrayLike<unknown>, map?: (item: unknown, index: number) => unknown) =>
  new Uint8Array(mapped(itemsOf(from), map) as number[])) as typeof Uint8Array.from
