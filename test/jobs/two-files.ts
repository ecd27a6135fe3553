import { writeFile } from 'node:fs/promises';
import { defineJob, fileId, resultFile } from 'headway-jobs';
import { z } from 'zod';

/** Creates a file, and returns it together with the file that it was given. */
export default defineJob({
  name: 'two-files',
  input: z.strictObject({ given: fileId() }),
  result: z.object({ given: fileId(), made: resultFile }),
  defaults: { keepMs: 1000 },
  async run({ given }, ctx) {
    return { given, made: await ctx.files.create('a.txt', (path) => writeFile(path, 'made')) };
  },
});
