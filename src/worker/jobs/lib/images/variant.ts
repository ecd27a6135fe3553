import { z } from 'zod';

/** Formats of variants, with the file extension of each. */
export const extensions = { jpeg: 'jpg', png: 'png', webp: 'webp', avif: 'avif' } as const;

const side = z.number().int().min(1).max(10_000);

/** One variant of an image. Without a size it is as large as the original. Images are never enlarged. */
export const variantSchema = z.strictObject({
  width: side.optional().describe('In pixels'),
  height: side.optional().describe('In pixels'),
  fit: z
    .enum(['inside', 'cover', 'contain', 'outside', 'fill'])
    .optional()
    .describe(
      'How to fit the image if both width and height are set and the aspect ratios differ. Defaults to inside.',
    ),
  format: z.enum(['jpeg', 'png', 'webp', 'avif']),
  quality: z.number().int().min(1).max(100).optional(),
  suffix: z
    .string()
    .regex(/^[\w-]{1,40}$/, 'must be 1 to 40 letters, digits, "_" or "-"')
    .optional()
    .describe('End of the file name. Defaults to the size.'),
});

export type Variant = z.output<typeof variantSchema>;

const DEFAULT: Variant[] = [
  { width: 1600, height: 1600, format: 'webp', suffix: 'large' },
  { width: 320, height: 320, fit: 'cover', format: 'jpeg', suffix: 'thumb' },
];

const variantsOf = (variant: typeof variantSchema, max: number) =>
  z
    .array(variant)
    .min(1)
    .max(max)
    .default(DEFAULT)
    .describe(`A list of 1 to ${max} variants, each with any of width, height, fit, format, quality, suffix`);

/** Schema of the input field with the requested variants. */
export const variantsField = () => variantsOf(variantSchema, 20);

const modestSide = z.number().int().min(1).max(4096).optional();

/** Schema of the same field for callers who are not signed in. */
export const modestVariantsField = () =>
  variantsOf(variantSchema.extend({ width: modestSide, height: modestSide }), 10);

/** Returns the file name of a variant: name of the image, suffix or size, and the extension of the format. */
export function variantName(image: string, { width, height, format, suffix }: Variant): string {
  const stem = image.replace(/\.[^.]*$/, '') || 'image';
  const size = width && height ? `${width}x${height}` : width ? `w${width}` : height ? `h${height}` : '';
  const end = suffix ?? size;
  return `${stem}${end ? `-${end}` : ''}.${extensions[format]}`;
}

/**
 * Makes names unique, ignoring case: the second `a.jpg` becomes `a-2.jpg`. The time for a name does not grow with the
 * number of its duplicates.
 */
export class UniqueNames {
  /** Names in use, each with the number to try first for its next duplicate. */
  private readonly taken = new Map<string, number>();

  /** Returns a unique name and reserves it. @param name may contain folders */
  add(name: string): string {
    const key = name.toLowerCase();
    const dot = name.lastIndexOf('.');
    const hasExtension = dot > name.lastIndexOf('/') + 1;
    const [stem, extension] = hasExtension ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
    let n = this.taken.get(key) ?? 2;
    let unique = name;
    while (this.taken.has(unique.toLowerCase())) unique = `${stem}-${n++}${extension}`;
    this.taken.set(key, n);
    if (unique !== name) this.taken.set(unique.toLowerCase(), 2);
    return unique;
  }
}
