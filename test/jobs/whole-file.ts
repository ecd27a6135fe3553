import { writeFile } from 'node:fs/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Its whole result is a file. */
export default defineJob({
  name: 'whole-file',
  input: z.unknown(),
  result: z.unknown(),
  run: (_data, ctx) => ctx.files.create('words.txt', (path) => writeFile(path, 'some words')),
});
