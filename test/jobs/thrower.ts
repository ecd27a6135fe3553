import { defineJob } from 'headway-jobs';
import { z } from 'zod';

const trap = (): never => {
  throw new Error('no way');
};
const thrown = {
  number: () => Object.assign(new Error(), { message: 404 }),
  object: () => ({ code: 'E_NO', message: 'no such table' }),
  null: () => null,
  symbol: () => Symbol('sign'),
  bare: () => Object.create(null),
  getter: () => Object.defineProperty(new Error(), 'message', { get: trap }),
  proxy: () => new Proxy(new Error('x'), { get: trap, getPrototypeOf: trap }),
  huge: () => new Error('x'.repeat(3_000_000)),
  permanent: () => ({ permanent: true, message: { detail: 'never' } }),
};

/** Throws the value that `kind` names: from `run`, or with `later` from a timer. */
export default defineJob({
  name: 'thrower',
  input: z.strictObject({
    kind: z.enum(Object.keys(thrown) as Array<keyof typeof thrown>),
    later: z.boolean().optional(),
  }),
  result: z.null(),
  async run({ kind, later }, ctx) {
    if (!later) throw thrown[kind]();
    setTimeout(() => {
      throw thrown[kind]();
    }, 1);
    await new Promise((resolve) => ctx.signal.addEventListener('abort', resolve));
    return null;
  },
});
