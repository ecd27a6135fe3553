import { z } from 'zod';

const int = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);

/** The settings that limit what is stored and what is open. */
export const storageSettings = {
  FILES_MIN_FREE_INODES: int(0)
    .default(1000)
    .describe(
      'Inodes to keep free on the disk of `FILES_DIR`: each file needs three. Uploads that would leave fewer are refused with 507. Ignored on file systems that do not count inodes.',
    ),
};
