import { expect, it } from 'vitest';
import { z } from 'zod';
import { validate } from '../../../src/shared/jobs/schema.js';

it('returns the output of the schema', async () => {
  expect(await validate(z.object({ a: z.number().default(1) }), {})).toEqual({ value: { a: 1 } });
});

it('returns errors with a JSON Pointer whose special characters are escaped', async () => {
  const schema = z.object({ 'a/b': z.object({ 'c~d': z.array(z.number()) }) });
  expect(await validate(schema, { 'a/b': { 'c~d': [1, 'x'] } })).toEqual({
    errors: [{ pointer: '/a~1b/c~0d/1', detail: expect.stringMatching(/number/) }],
  });
});

it('accepts a schema of any Standard Schema library, including an asynchronous one', async () => {
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'mine',
      validate: async (value: unknown) =>
        value === 1 ? { value: 'one' } : { issues: [{ message: 'not one', path: [{ key: 'x' }] }] },
    },
  };
  expect(await validate(schema, 1)).toEqual({ value: 'one' });
  expect(await validate(schema, 2)).toEqual({ errors: [{ pointer: '/x', detail: 'not one' }] });
});
