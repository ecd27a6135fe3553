import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { asError } from '../../../src/shared/jobs/thrown.js';

const withMessage = (message: unknown): Error => Object.assign(new Error(), { message });
const getter = (key: string): object =>
  Object.defineProperty(new Error('kept'), key, {
    get() {
      throw new Error('no way');
    },
  });
const trap = (): never => {
  throw new Error('no way');
};
const circular: Record<string, unknown> = { code: 7 };
circular.self = circular;

describe('the error for a thrown value', () => {
  it.each<[unknown, string]>([
    [new Error('plain'), 'plain'],
    [new TypeError('typed'), 'typed'],
    [new Error(''), 'unknown error'],
    [new RangeError(), 'RangeError'],
    ['text', 'text'],
    ['', 'unknown error'],
    [{ code: 'E_NO', message: 'no such table' }, 'no such table'],
    [{ code: 7 }, '{ code: 7 }'],
    [{ message: { detail: 'deep' } }, "{ detail: 'deep' }"],
    [{ message: '' }, "{ message: '' }"],
    [withMessage(404), '404'],
    [withMessage(null), 'unknown error'],
    [withMessage(undefined), 'unknown error'],
    [withMessage({ error: 'x' }), "{ error: 'x' }"],
    [withMessage(['a', 'b']), "[ 'a', 'b' ]"],
    [withMessage(new Error('inner')), 'inner'],
    [withMessage(Symbol('s')), 'Symbol(s)'],
    [withMessage(10n), '10n'],
    [null, 'null'],
    [undefined, 'undefined'],
    [false, 'false'],
    [0, '0'],
    [Symbol('sign'), 'Symbol(sign)'],
    [12n, '12n'],
    [[1, 2], '[ 1, 2 ]'],
    [Object.create(null), '[Object: null prototype] {}'],
    [Object.assign(Object.create(null), { message: 'bare' }), 'bare'],
    [circular, '<ref *1> { code: 7, self: [Circular *1] }'],
    [() => 1, '[Function (anonymous)]'],
    [getter('name'), 'kept'],
    [getter('stack'), 'kept'],
    [getter('message'), 'unknown error'],
    [{ toString: trap, toJSON: trap, [inspect.custom]: trap, message: 'fine' }, 'fine'],
    [new Proxy({}, { get: trap }), '{}'],
  ])('%# becomes an error with a message', (thrown, message) => {
    const error = asError(thrown);
    expect(error).toBeInstanceOf(Error);
    expect(error.message).toBe(message);
    expect(error.name).toBeTypeOf('string');
    expect(error.stack).toBeTypeOf('string');
  });

  it('keeps its name and stack', () => {
    const thrown = new TypeError('typed');
    expect(asError(thrown)).toMatchObject({ name: 'TypeError', stack: thrown.stack });
    expect(String(asError(Object.assign(new Error('x'), { name: Symbol('no'), stack: 7 })))).toBe('Error: x');
  });

  it('survives a hostile proxy', () => {
    const hostile = new Proxy(new Error('x'), { get: trap, getPrototypeOf: trap, ownKeys: trap, has: trap });
    expect(asError(hostile).message).toBeTypeOf('string');
  });

  it.each([
    ['text', 'é😀'.repeat(1_000_000)],
    ['an error', new Error('x'.repeat(3_000_000))],
    ['an object', { rows: 'x'.repeat(3_000_000) }],
    ['a message that is an object', withMessage({ rows: 'x'.repeat(3_000_000) })],
    ['a name', Object.assign(new Error('x'), { name: 'n'.repeat(3_000_000) })],
  ])('is bounded: %s', (_what, thrown) => {
    const { name, message, stack } = asError(thrown);
    expect(name.length).toBeLessThan(200);
    expect(message.length).toBeLessThan(10_020);
    expect(stack!.length).toBeLessThan(16_020);
    expect(Buffer.from(message).toString()).toBe(message);
  });
});
