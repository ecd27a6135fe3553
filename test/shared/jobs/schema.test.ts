import { expect, it } from 'vitest';
import { z } from 'zod';
import { validate } from '../../../src/shared/jobs/schema.js';

it('gives the value as the schema makes it', async () => {
  expect(await validate(z.object({ a: z.number().default(1) }), {})).toEqual({ value: { a: 1 } });
});

it('says what is wrong, with a JSON Pointer whose special characters are escaped', async () => {
  const schema = z.object({ 'a/b': z.object({ 'c~d': z.array(z.number()) }) });
  expect(await validate(schema, { 'a/b': { 'c~d': [1, 'x'] } })).toEqual({
    errors: [{ pointer: '/a~1b/c~0d/1', detail: expect.stringMatching(/number/) }],
  });
});

it('takes a schema of any library that keeps to Standard Schema, also one that takes its time', async () => {
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
