import { writeFile } from 'node:fs/promises';
import { defineJob, fileId } from 'headway-jobs';
import { z } from 'zod';

/** Opens a file and makes half of another one, and then neither ends nor obeys its signal. */
export default defineJob({
  name: 'copier',
  input: z.strictObject({ file: fileId() }),
  result: z.object({}),
  defaults: { cancelGraceMs: 0 },
  async run({ file }, ctx) {
    const { path } = await ctx.files.open(file);
    await ctx.files.create('half.bin', async (to) => {
      await writeFile(to, 'half');
      ctx.log(path);
      await new Promise<void>(() => setInterval(() => {}, 1000));
    });
    return {};
  },
});
