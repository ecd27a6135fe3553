import { z } from 'zod';
import { PermanentError } from '../../../../shared/errors.js';
import { resultFile } from '../../../../shared/files/reference.js';
import type { JobContext } from '../../../../shared/jobs/definition.js';
import { fileKind, READABLE } from './kind.js';
import { inspect, type Resized, resize } from './resize.js';
import { type Variant, variantName } from './variant.js';

/** One variant that was made. Its size is in pixels. */
export const madeVariant = z.object({
  width: z.number().int(),
  height: z.number().int(),
  frames: z.number().int().optional().describe('More than one if it is an animation'),
  file: resultFile,
});

export type MadeVariant = z.output<typeof madeVariant>;

/** One variant that could not be made, by the name that it would have had. */
export const failedVariant = z.object({ variant: z.string(), reason: z.string() });

/** What was made of one image. */
export const madeOfImage = z.object({
  variants: z.array(madeVariant),
  // A worker of the release before leaves it out.
  failed: z.array(failedVariant).default([]),
  frames: z.number().int().optional().describe('Of the image, if it has more than one'),
});

export type MadeOfImage = z.output<typeof madeOfImage>;

/**
 * Makes the variants of one image, each as a file of the job; progress counts them. A variant that cannot be made is
 * left out, with the reason. When the job fails or has to stop, none of the files stays.
 * @throws PermanentError that says why the image cannot be used, if no variant could be made
 */
export async function makeVariants(
  { name, path }: { name: string; path: string },
  variants: Variant[],
  ctx: Pick<JobContext, 'files' | 'progress' | 'signal'>,
): Promise<MadeOfImage> {
  if ((await fileKind(path)) !== 'image')
    throw new PermanentError(`not an image that can be read (${READABLE})`);
  const source = await inspect(path);
  const made: MadeVariant[] = [];
  const failed: MadeOfImage['failed'] = [];
  try {
    for (const [done, variant] of variants.entries()) {
      ctx.signal.throwIfAborted();
      ctx.progress({ current: done, total: variants.length, unit: 'variants' });
      const wanted = variantName(name, variant);
      try {
        let resized: Resized | undefined;
        const file = await ctx.files.create(wanted, async (to) => {
          resized = await resize(source, to, variant);
        });
        const { width, height, frames } = resized!;
        made.push({ width, height, ...(frames > 1 ? { frames } : {}), file });
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error;
        failed.push({ variant: wanted, reason: error.message });
      }
    }
    if (made.length === 0) throw new PermanentError(reasonsOf(failed));
    ctx.progress({ current: variants.length, total: variants.length, unit: 'variants' });
    return { variants: made, failed, ...(source.frames > 1 ? { frames: source.frames } : {}) };
  } catch (error) {
    await removeFiles(made, ctx);
    throw error;
  }
}

/** Each reason once: what is wrong with an image is wrong with each of its variants. */
const reasonsOf = (failed: MadeOfImage['failed']): string =>
  [...new Set(failed.map(({ reason }) => reason))].join('; ');

/** Removes the files of variants that are not needed any more. */
export async function removeFiles(
  variants: MadeVariant[],
  { files }: Pick<JobContext, 'files'>,
): Promise<void> {
  for (const { file } of variants) await files.remove(file.id);
}
