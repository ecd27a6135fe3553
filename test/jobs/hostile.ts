import { writeFile } from 'node:fs/promises';
import { defineJob } from 'headway-jobs';
import { z } from 'zod';

/** Reports control sequences of terminals, and returns a file whose name leads out of its folder. */
export default defineJob({
  name: 'hostile',
  input: z.strictObject({}),
  result: z.any(),
  async run(_, ctx) {
    ctx.log('\x1b[2Jcleared\x07');
    ctx.log('warn', '\u009b31mred', { '\x1b': 1 });
    ctx.emit('own', { text: '\x1b[2J' });
    ctx.progress({ percent: 50, message: '\x1b[2J日本語' });
    const file = await ctx.files.create('../../.profile', (path) => writeFile(path, 'hello'));
    return { say: '\u009b31m', file };
  },
});
