import { z } from 'zod';
import { PermanentError } from '../../../../shared/errors.js';
import { resultFile } from '../../../../shared/files/reference.js';
import type { JobContext } from '../../../../shared/jobs/definition.js';
import { fileKind, READABLE } from './kind.js';
import { inspect, type Resized, resize } from './resize.js';
import { type Variant, variantName } from './variant.js';

/** A variant. Its size is in pixels. */
export const madeVariant = z.object({
  width: z.number().int(),
  height: z.number().int(),
  frames: z.number().int().optional().describe('Number of frames, if the variant is an animation'),
  file: resultFile,
});

export type MadeVariant = z.output<typeof madeVariant>;

/** A variant that could not be made, by its file name. */
export const failedVariant = z.object({ variant: z.string(), reason: z.string() });

/** The variants of one image. */
export const madeOfImage = z.object({
  variants: z.array(madeVariant),
  // Workers of the previous release omit this field.
  failed: z.array(failedVariant).default([]),
  frames: z.number().int().optional().describe('Number of frames of the image, if it has more than one'),
});

export type MadeOfImage = z.output<typeof madeOfImage>;

/**
 * Creates the variants of one image as files of the job, and reports progress by the number of variants. A variant that
 * cannot be made is listed in `failed`. If the job fails or is stopped, the files are removed.
 * @throws PermanentError with the reason, if no variant could be made
 */
export async function makeVariants(
  { name, path }: { name: string; path: string },
  variants: Variant[],
  ctx: Pick<JobContext, 'files' | 'progress' | 'signal'>,
): Promise<MadeOfImage> {
  if ((await fileKind(path)) !== 'image') throw new PermanentError(`not a supported image (${READABLE})`);
  const source = await inspect(path);
  const made: MadeVariant[] = [];
  const failed: MadeOfImage['failed'] = [];
  try {
    for (const [done, variant] of variants.entries()) {
      ctx.signal.throwIfAborted();
      ctx.progress({ current: done, total: variants.length, unit: 'variants' });
      const fileName = variantName(name, variant);
      try {
        let resized!: Resized;
        const file = await ctx.files.create(fileName, async (to) => {
          resized = await resize(source, to, variant);
        });
        const { width, height, frames } = resized;
        made.push({ width, height, ...(frames > 1 ? { frames } : {}), file });
      } catch (error) {
        if (!(error instanceof PermanentError)) throw error;
        failed.push({ variant: fileName, reason: error.message });
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

/** Lists each reason once: variants of the same image often fail for the same reason. */
const reasonsOf = (failed: MadeOfImage['failed']): string =>
  [...new Set(failed.map(({ reason }) => reason))].join('; ');

/** Removes the files of variants that are no longer needed. */
export async function removeFiles(
  variants: MadeVariant[],
  { files }: Pick<JobContext, 'files'>,
): Promise<void> {
  for (const { file } of variants) await files.remove(file.id);
}
