import { z } from 'zod';
import { filesUrlMistake } from './files-url.js';

const int = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** A limit on callers: a whole number; `0` turns it off. */
const limit = (preset: number, description: string) =>
  int(0).default(preset).describe(`${description} \`0\` turns the limit off.`);

/** A limit on how many streams are opened in a minute. If empty, it follows from that on open streams. */
const opens = (whose: string, description: string) =>
  z
    .union([z.literal(''), int(0)])
    .default('')
    .describe(
      `Maximum number of streams per minute that ${description}, whether or not they are closed again. If empty, three times \`LIMIT_STREAMS_${whose}\`, so that all viewers can reconnect at once. \`0\` turns the limit off.`,
    );

/** The settings that limit what is stored and what is open. docs/operations/limits.md explains those of callers. */
export const storageSettings = {
  FILES_URL: z
    .string()
    .superRefine((text, context) => {
      const mistake = text === '' ? undefined : filesUrlMistake(text);
      if (mistake) context.addIssue(mistake);
    })
    .default('')
    .describe(
      'Bucket of an S3-compatible storage for uploads and result files: `s3://bucket/prefix?endpoint=https://host&region=name`, see [Files](files.md). Credentials are those of the AWS SDK. If empty, files are in `FILES_DIR`.',
    ),
  FILES_MIN_FREE_INODES: int(0)
    .default(1000)
    .describe(
      'Inodes to keep free on the disk of `FILES_DIR`: each file needs three. Uploads that would leave fewer are refused with 507. Ignored on file systems that do not count inodes.',
    ),
  CHANNEL_LOG_MAX_BYTES: int(MiB)
    .default(16 * MiB)
    .describe(
      'Maximum size of the log of a channel, in bytes. Beyond it, the oldest events are removed, as with `CHANNEL_LOG_LENGTH`. Does not apply to the channels of jobs.',
    ),
  CHANNEL_MAX_SLOTS: int(100)
    .default(5000)
    .describe(
      'Maximum number of keys of `state` events of a channel. An event with another key is refused with 413. Does not apply to the channels of jobs.',
    ),
  CHANNEL_SLOTS_MAX_BYTES: int(MiB)
    .default(8 * MiB)
    .describe(
      'Maximum size of the newest `state` events of a channel, in bytes. An event that exceeds it is refused with 413. Does not apply to the channels of jobs.',
    ),
  LIST_MAX_VALUES: int(1, 40)
    .default(10)
    .describe(
      'Maximum number of names and tags in the query of `GET /v1/jobs`. A query with more is refused with 400.',
    ),
  LIMIT_STREAMS_ANONYMOUS: limit(2000, 'Maximum number of open streams without a token from one address.'),
  LIMIT_STREAMS_USER: limit(500, 'Maximum number of open streams of one user.'),
  LIMIT_STREAMS_KEY: limit(10_000, 'Maximum number of open streams with one API key.'),
  LIMIT_STREAMS_ADDRESS: limit(
    5000,
    'Maximum number of open streams from one address (IPv6: one /64 network), of all its callers.',
  ),
  LIMIT_STREAMS_PROCESS: limit(
    30_000,
    'Maximum number of open streams in one API process, but at most three quarters of the files that it may open (`ulimit -n`). Further ones are refused with 503.',
  ),
  LIMIT_STREAM_OPENS_ANONYMOUS: opens('ANONYMOUS', 'are opened without a token from one address'),
  LIMIT_STREAM_OPENS_USER: opens('USER', 'one user opens'),
  LIMIT_STREAM_OPENS_KEY: opens('KEY', 'are opened with one API key'),
  LIMIT_STREAM_OPENS_ADDRESS: opens(
    'ADDRESS',
    'are opened from one address (IPv6: one /64 network), by all its callers',
  ),
  LIMIT_DASHBOARDS_ANONYMOUS: limit(
    5,
    'Maximum number of open dashboards and overviews (`?jobs=mine`) without a token from one address. Thirty times as many may be opened in a minute.',
  ),
  LIMIT_DASHBOARDS_USER: limit(
    20,
    'Maximum number of open dashboards and overviews of one user. Thirty times as many may be opened in a minute.',
  ),
  LIMIT_DASHBOARDS_KEY: limit(
    100,
    'Maximum number of open dashboards and overviews with one API key. Thirty times as many may be opened in a minute.',
  ),
  LIMIT_UPLOADS_ANONYMOUS: limit(20, 'Maximum number of uploads at once without a token from one address.'),
  LIMIT_UPLOADS_USER: limit(50, 'Maximum number of uploads at once of one user.'),
  LIMIT_UPLOADS_KEY: limit(500, 'Maximum number of uploads at once with one API key.'),
  LIMIT_UPLOAD_BYTES_ANONYMOUS: limit(
    5 * GiB,
    'Maximum number of bytes that are uploaded in a day without a token from one address. Each file counts as 1 MiB or more.',
  ),
  LIMIT_UPLOAD_BYTES_USER: limit(50 * GiB, 'Maximum number of bytes that one user uploads in a day.'),
  LIMIT_UPLOAD_BYTES_KEY: limit(
    1000 * GiB,
    'Maximum number of bytes that are uploaded in a day with one API key.',
  ),
};
