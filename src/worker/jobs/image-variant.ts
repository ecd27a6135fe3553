import { z } from 'zod';
import { fileId } from '../../shared/files/reference.js';
import { defineJob } from '../../shared/jobs/definition.js';
import { madeOfImage, makeVariants } from './lib/images/make.js';
import { variantsField } from './lib/images/variant.js';

/** A child of `image-variants`: one image. It fails if no variant can be made, and its parent says so. */
export default defineJob({
  name: 'image-variant',
  description: 'Makes smaller variants of one image, in the formats wanted.',
  input: z.strictObject({ file: fileId(), variants: variantsField() }),
  result: madeOfImage,
  // Not in the queue of its parent, whatever QUEUE_NAME says, and few at a time: an image needs memory.
  queue: 'image-variant',
  concurrency: 2,
  async run({ file, variants }, ctx) {
    const source = await ctx.files.open(file);
    return makeVariants(source, variants, ctx);
  },
});
