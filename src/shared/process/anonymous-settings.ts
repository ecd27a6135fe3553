import { z } from 'zod';

/** The setting that decides what callers without a token may do. */
export const anonymousSettings = {
  ANONYMOUS: z
    .enum(['', 'allow', 'watch', 'deny'], { error: 'must be allow, watch or deny' })
    .default('')
    .describe(
      'What callers without a token may do. `allow`: start jobs, upload files and make schedules. `watch`: only watch, what `CHANNEL_RULES` opens to anyone and their own jobs. `deny`: nothing; only pages, the API reference and health checks are open. Defaults to `deny` with `NODE_ENV=production` and a `HOST` that is not loopback, otherwise to `allow`. Embedded in your application, which has no `HOST`: `deny` with `NODE_ENV=production`, otherwise `allow`.',
    ),
};
