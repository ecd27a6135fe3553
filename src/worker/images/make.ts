import { z } from 'zod';
import { PermanentError } from '../../shared/errors.js';
import { resultFile } from '../../shared/files/reference.js';
import type { JobContext } from '../../shared/job.js';
import { fileKind, READABLE } from './kind.js';
import { type Resized, resize } from './resize.js';
import { type Variant, variantName } from './variant.js';

/** One variant that was made. Its size is in pixels. */
export const madeVariant = z.object({
  width: z.number().int(),
  height: z.number().int(),
  file: resultFile,
});

export type MadeVariant = z.output<typeof madeVariant>;

/**
 * Makes the variants of one image, each as a file of the job; progress counts them. When it fails or has to stop, none
 * of the files stays.
 * @throws PermanentError that says why the image cannot be used
 */
export async function makeVariants(
  { name, path }: { name: string; path: string },
  variants: Variant[],
  ctx: Pick<JobContext, 'files' | 'progress' | 'signal'>,
): Promise<MadeVariant[]> {
  if ((await fileKind(path)) !== 'image')
    throw new PermanentError(`not an image that can be read (${READABLE})`);
  const made: MadeVariant[] = [];
  try {
    for (const [done, variant] of variants.entries()) {
      ctx.signal.throwIfAborted();
      ctx.progress({ current: done, total: variants.length, unit: 'variants' });
      let size: Resized | undefined;
      const file = await ctx.files.create(variantName(name, variant), async (to) => {
        size = await resize(path, to, variant);
      });
      made.push({ ...size!, file });
    }
    ctx.progress({ current: variants.length, total: variants.length, unit: 'variants' });
    return made;
  } catch (error) {
    await removeFiles(made, ctx);
    throw error;
  }
}

/** Removes the files of variants that are not needed any more. */
export async function removeFiles(
  variants: MadeVariant[],
  { files }: Pick<JobContext, 'files'>,
): Promise<void> {
  for (const { file } of variants) await files.remove(file.id);
}
