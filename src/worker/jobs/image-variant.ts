import { z } from 'zod';
import { fileId } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/jobs/definition.js';
import { madeOfImage, makeVariants } from './lib/images/make.js';
import { modestVariantsField, variantsField } from './lib/images/variant.js';

/**
 * Processes one image as a child of `image-variants`. Fails if no variant can be made; the parent reports the failure.
 */
export default defineJob({
  name: 'image-variant',
  description: 'Creates resized variants of one image.',
  input: z.strictObject({ file: fileId(), variants: variantsField() }),
  limits: { anonymous: z.strictObject({ file: fileId(), variants: modestVariantsField() }) },
  result: madeOfImage,
  // A separate queue, because a child cannot share its parent's queue. Few jobs run at a time: images need much memory.
  queue: 'image-variant',
  concurrency: 2,
  defaults: { timeoutMs: 3_600_000 },
  async run({ file, variants }, ctx) {
    const source = await ctx.files.open(file);
    return makeVariants(source, variants, ctx);
  },
});
