import { z } from 'zod';
import { ChildFailedError, PermanentError } from '../../shared/errors.js';
import { fileId, resultFile } from '../../shared/files/reference.js';
import { defineJob, type JobContext } from '../../shared/jobs/definition.js';
import { writeArchive } from './lib/images/archive.js';
import { fileKind, READABLE } from './lib/images/kind.js';
import {
  type MadeOfImage,
  type MadeVariant,
  madeOfImage,
  makeVariants,
  removeFiles,
} from './lib/images/make.js';
import { type ImageOutput, nameOutputs } from './lib/images/outputs.js';
import { type FailedImage, type UnpackedImage, unpackImages } from './lib/images/unpack.js';
import { modestVariantsField, type Variant, variantsField } from './lib/images/variant.js';
import { hasZip } from './lib/images/zip-reader.js';

/** The result lists at most this many failures. The report in the archive lists all of them. */
const MAX_LISTED = 100;

/** The variants made of each image, and the reasons why others could not be made. */
interface Outcome {
  /** Names of the images with their folders, by index in the zip. */
  names: string[];
  /** By index of the image in the zip. */
  made: MadeVariant[][];
  failed: FailedImage[];
  stills: StillImage[];
}

/** An image with several frames. Some of its variants show only the first frame. */
const stillImage = z.object({ name: z.string(), frames: z.number().int(), variants: z.number().int() });

type StillImage = z.output<typeof stillImage>;

/** Records the variants made of one image. */
function record(
  outcome: Outcome,
  name: string,
  index: number,
  { variants, failed, frames }: MadeOfImage,
): void {
  outcome.made[index] = variants;
  outcome.failed.push(...failed.map((entry) => ({ name, ...entry })));
  const stills = variants.filter((variant) => variant.frames === undefined).length;
  if (frames && stills > 0) outcome.stills.push({ name, frames, variants: stills });
}

export default defineJob({
  name: 'image-variants',
  description: 'Creates resized variants of an image, or of every image in a zip.',
  input: z.strictObject({ file: fileId(), variants: variantsField() }),
  limits: { anonymous: z.strictObject({ file: fileId(), variants: modestVariantsField() }) },
  result: z.object({
    images: z.number().int(),
    variants: z.number().int(),
    failed: z.array(z.object({ name: z.string(), variant: z.string().optional(), reason: z.string() })),
    notListed: z.number().int().optional(),
    firstFrameOnly: z.array(stillImage).optional(),
    archive: resultFile,
  }),
  queue: 'image-variants',
  stages: { unpack: 1, variants: 8, archive: 1 },
  async run({ file, variants }, ctx) {
    const source = await ctx.files.open(file);
    let kind = await fileKind(source.path);
    if (kind === 'other' && (await hasZip(source.path))) kind = 'zip';
    if (kind === 'other') {
      throw new PermanentError(`the file is neither a supported image (${READABLE}) nor a zip of images`);
    }
    const outcome: Outcome = { names: [], made: [], failed: [], stills: [] };
    let packed = false;
    try {
      if (kind === 'zip') await processZip(source.path, variants, outcome, ctx);
      else await processImage(source, variants, outcome, ctx);
      const made = outcome.made.flat();
      const failed = outcome.failed.sort(byName);
      const firstFrameOnly = outcome.stills.sort(byName);
      const counts = { images: outcome.made.filter(Boolean).length, variants: made.length };
      if (counts.images === 0) throw new PermanentError(noImagesMessage(failed));
      ctx.stage('archive');
      const stem = source.name.replace(/\.[^.]*$/, '') || 'images';
      const archive = await ctx.files.create(`${stem}-variants.zip`, (to) =>
        pack(
          to,
          outputsOf(outcome),
          { ...counts, failed, ...(firstFrameOnly.length > 0 ? { firstFrameOnly } : {}) },
          ctx,
        ),
      );
      packed = true;
      const notListed = failed.length - MAX_LISTED;
      return {
        ...counts,
        failed: failed.slice(0, MAX_LISTED),
        ...(notListed > 0 ? { notListed } : {}),
        ...(firstFrameOnly.length > 0 ? { firstFrameOnly: firstFrameOnly.slice(0, MAX_LISTED) } : {}),
        archive,
      };
    } finally {
      // Another attempt could reuse the variants, so they stay if one may follow. Unused files expire.
      if (packed || isEnded(ctx.signal)) await removeFiles(outcome.made.flat(), ctx);
    }
  },
});

/** The sort is stable: failed variants of an image stay in the order of the request. */
const byName = (a: { name: string }, b: { name: string }): number =>
  a.name === b.name ? 0 : a.name < b.name ? -1 : 1;

function noImagesMessage([first, ...others]: FailedImage[]): string {
  if (!first) return 'the zip contains no images';
  return `none of the ${others.length + 1} files could be used; ${first.name}: ${first.reason}`;
}

/** Whether the run was stopped for good, so no other run follows. */
const isEnded = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && !['shutdown', 'lock-lost'].includes(reason?.why);

/** Processes a single image in this job: a child would only show the same progress a second time. */
async function processImage(
  source: { name: string; path: string },
  variants: Variant[],
  outcome: Outcome,
  ctx: JobContext,
): Promise<void> {
  outcome.names.push(source.name);
  ctx.stage('variants');
  try {
    record(outcome, source.name, 0, await makeVariants(source, variants, ctx));
  } catch (error) {
    if (error instanceof PermanentError)
      throw new PermanentError(`cannot process the image: ${error.message}`);
    throw error;
  }
}

/**
 * Processes each image of a zip in a child job. The children spread over all workers, each can be watched and retried,
 * and completed ones are not repeated when this job's worker is lost.
 */
async function processZip(
  path: string,
  variants: Variant[],
  outcome: Outcome,
  ctx: JobContext,
): Promise<void> {
  ctx.stage('unpack');
  const { images, failed } = await unpackImages(path, ctx);
  outcome.failed.push(...failed);
  outcome.names.push(...images.map(({ name }) => name));
  let done = false;
  try {
    ctx.stage('variants');
    ctx.log(`${images.length} images, ${variants.length} variants each`);
    await Promise.all(
      images.map(async (image, index) => {
        const made = await processInChild(image, variants, ctx);
        if ('reason' in made) outcome.failed.push({ name: image.name, reason: made.reason });
        else record(outcome, image.name, index, made);
      }),
    );
    done = true;
  } finally {
    // Otherwise children may still be reading the images, or may read them again.
    if (done || isEnded(ctx.signal)) for (const { id } of images) await ctx.files.remove(id);
  }
}

async function processInChild(
  { key, name, id }: UnpackedImage,
  variants: Variant[],
  ctx: JobContext,
): Promise<MadeOfImage | { reason: string }> {
  const start = async (call: string) => {
    const result = await ctx.child(
      'image-variant',
      { file: id, variants },
      { key: call, options: { metadata: { image: name } } },
    );
    return madeOfImage.parse(result);
  };
  try {
    const made = await start(key);
    if (await exist(made.variants, ctx)) return made;
    // An earlier attempt removed the files of this child and was lost afterwards.
    return await start(`${key} of attempt ${ctx.attempt}`);
  } catch (error) {
    if (error instanceof ChildFailedError) return { reason: error.error.message };
    throw error;
  }
}

async function exist(made: MadeVariant[], { files }: JobContext): Promise<boolean> {
  for (const { file } of made) {
    const found = await files.read(file.id).catch(() => undefined);
    if (!found) return false;
  }
  return true;
}

/** The images that have variants, in the order of the zip. */
const outputsOf = ({ names, made }: Outcome): ImageOutput<MadeVariant['file']>[] =>
  names.flatMap((image, index) =>
    made[index] ? [{ image, files: made[index].map(({ file }) => file) }] : [],
  );

/** Writes the archive: variants in the folders of their images, and a report that maps each image to its files. */
async function pack(
  to: string,
  made: ImageOutput<MadeVariant['file']>[],
  report: object,
  { files, progress, signal }: JobContext,
): Promise<void> {
  const named = nameOutputs(made);
  const content = await Promise.all(
    named.files.map(async ({ name, file }) => ({
      name,
      size: file.size,
      stream: (await files.read(file.id)).stream,
    })),
  );
  const total = content.reduce((sum, { size }) => sum + size, 0);
  await writeArchive(
    to,
    content,
    { name: named.report, content: `${JSON.stringify({ ...report, outputs: named.outputs }, null, 2)}\n` },
    signal,
    (bytes) => progress({ current: Math.min(bytes, total), total, unit: 'bytes', message: 'Packing' }),
  );
}
