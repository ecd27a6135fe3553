import { readFileSync } from 'node:fs';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reads the file whose id is at `path` inside `in`. Its first `failures` attempts fail. */
export default defineJob({
  name: 'reader',
  input: z.strictObject({
    path: z.array(z.union([z.string(), z.number()])),
    in: z.unknown(),
    failures: z.number().default(0),
  }),
  result: z.object({ text: z.string() }),
  async run({ path, in: data, failures }, ctx) {
    // biome-ignore lint/suspicious/noExplicitAny: the path leads through any JSON value
    const id = path.reduce((value: any, key) => value[key], data);
    const file = await ctx.files.open(id);
    if (ctx.attempt <= failures) throw new Error('not yet');
    return { text: readFileSync(file.path, 'utf8') };
  },
});
