import { defineJob } from 'headway-jobs';
import { z } from 'zod';
import { textOf } from './lib/text.js';

export default defineJob({
  name: 'typed',
  input: z.object({}),
  result: z.unknown(),
  run: (data: object): string => textOf(data),
});
