import { isIP } from 'node:net';
import { z } from 'zod';
import { isWebhookSecret, SECRET_FORM } from '../jobs/webhook-secret.js';
import { StartError } from '../start-error.js';
import { hostPatterns } from '../webhooks/target.js';
import { normalPublicUrl, publicUrlMistake } from './public-url.js';

const int = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);

/** Whether a text names machines as Express does for its `trust proxy`, or none. */
const areProxies = (text: string): boolean =>
  text === 'none' ||
  text.split(',').every((part) => {
    const [address, bits, ...rest] = part.trim().split('/') as [string, ...string[]];
    if (bits === undefined && /^(loopback|linklocal|uniquelocal)$/.test(address)) return true;
    const family = isIP(address);
    if (family === 0 || rest.length > 0) return false;
    return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  });

/** What is wrong with an entry of `CORS_ORIGINS`: browsers send an origin in one form only, and it is compared as text. */
function originMistake(entry: string): string | undefined {
  if (/^https?:\/\//i.test(entry) && URL.canParse(entry) && !entry.includes('*')) {
    const { origin } = new URL(entry);
    return origin === entry ? undefined : `${entry} never matches: browsers send ${origin}`;
  }
  return entry.includes('*')
    ? `${entry} never matches: a wildcard is no origin`
    : 'must be origins such as https://example.com, with commas between';
}

const MiB = 1024 * 1024;
const minute = 60_000;
const day = 24 * 60 * minute;

/**
 * Every setting of Headway, read from the environment. `npm run docs:configuration` writes the descriptions to
 * docs/operations/configuration.md; a test compares them.
 */
export const configSchema = z.object({
  PORT: int(0, 65535).default(3000).describe('Port of the API. `0` takes a free one.'),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address the API listens on.'),
  REDIS_URL: z
    .string()
    .regex(/^(rediss?:\/\/|unix:)/, 'must start with redis://, rediss:// or unix:')
    .default('redis://127.0.0.1:6379')
    .describe(
      'The Redis (6.2 or newer) or Valkey that carries queue and channels. With `npm start`: unset means a private Redis.',
    ),
  KEY_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,40}$/, 'must be 1 to 40 letters, digits, "_", "." or "-"')
    .default('headway')
    .describe(
      'First part of every Redis key. Two installations on one Redis need two prefixes. BullMQ gets `{KEY_PREFIX}` as its prefix.',
    ),
  QUEUE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,60}$/, 'must be up to 60 letters, digits, "_" or "-"')
    .default('')
    .describe(
      'A BullMQ queue for all kinds of job together. Empty: each kind has a queue of its own, named like it. A definition may name its `queue` itself.',
    ),
  JOBS_DIR: z
    .string()
    .default('')
    .describe(
      'Folder with your own job files (`.js`, `.mjs`, `.ts`, `.mts`). Read by API and worker at start.',
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .default('data')
    .describe(
      "Folder for what must outlive a restart: files, the signing secret, the private Redis's append-only file.",
    ),
  FILES_DIR: z
    .string()
    .default('')
    .describe('Folder for uploads and results, shared by API and workers. Empty: `files` in `DATA_DIR`.'),
  UPLOAD_MAX_BYTES: int(1)
    .default(2048 * MiB)
    .describe('Largest upload accepted, in bytes.'),
  FILES_MIN_FREE_BYTES: int(0)
    .default(256 * MiB)
    .describe('An upload that would leave less free disk than this is refused with 507.'),
  FILES_TTL_MS: int(1000)
    .default(day)
    .describe(
      'How long an upload is kept after its last use, in ms; at least until each job that names it has completed. A result file is kept as long as its job, if that is longer.',
    ),
  BODY_MAX_BYTES: int(1024).default(MiB).describe('Largest JSON body accepted, in bytes.'),
  WORKER_CONCURRENCY: int(1, 1000)
    .default(4)
    .describe(
      'Jobs of one queue that one worker process runs at a time, unless the definition has a `concurrency`.',
    ),
  WORKER_JOBS: z
    .string()
    .regex(/^[a-z0-9-]*( *, *[a-z0-9-]+)*$/, 'must be names of jobs with commas between')
    .default('')
    .describe('The kinds of job that a worker process runs, with commas between. Empty: all.'),
  WORKER_THREADS: int(0, 1000)
    .default(0)
    .describe(
      'How many jobs with `thread: true` one worker process runs at a time; those that wait for their children do not count. `0`: one for each core of the machine.',
    ),
  PROGRESS_INTERVAL_MS: int(0, minute)
    .default(100)
    .describe(
      'At most one progress event per job in this many ms, and chunks of a partial result that come within it are one event. `0` turns coalescing off.',
    ),
  PARTIAL_MAX_BYTES: int(0)
    .default(4 * MiB)
    .describe('The partial result of one attempt has at most this many bytes, as JSON.'),
  JOB_LOG_LINES: int(1, 1_000_000)
    .default(1000)
    .describe('Lines that one attempt of a job can write to its log; further ones are left out.'),
  LOCK_DURATION_MS: int(1000)
    .default(30_000)
    .describe(
      'A job whose worker died is given to another one this long after the last renewal of its lock, at the earliest, in ms.',
    ),
  STALLED_INTERVAL_MS: int(500)
    .default(15_000)
    .describe('How often workers look for jobs whose lock has run out, in ms.'),
  MAX_STALLS: int(0, 1000).default(3).describe('A job whose worker died more often than this fails.'),
  SHUTDOWN_GRACE_MS: int(0)
    .default(10_000)
    .describe(
      'On SIGTERM a worker lets its running jobs go on for this long, then hands them back; the API lets requests end.',
    ),
  KEEP_JOBS_MS: int(1000)
    .default(day)
    .describe(
      'How long a finished job is kept, with its log, files and channel, in ms, unless it says otherwise (`keepMs`).',
    ),
  GONE_JOBS_MS: int(0)
    .default(7 * day)
    .describe('How long it is remembered that there was a job that is no longer kept, in ms.'),
  CHANNEL_LOG_LENGTH: int(10, 1_000_000).default(10_000).describe("Events kept in a channel's log."),
  CHANNEL_TTL_MS: int(1000)
    .default(day)
    .describe("A channel that is no job's is forgotten this long after its last event, in ms."),
  CHANNEL_RULES: z
    .string()
    .default('')
    .describe(
      'Who may follow and publish to which channel: a JSON array of rules, or the path of a file with one. Empty: only who has a token that names the channel. `npm start` opens `public.**` to anyone.',
    ),
  AUTHORIZE_MODULE: z
    .string()
    .default('')
    .describe(
      'Path of a module whose default export decides who may do what on a channel where rules cannot say it.',
    ),
  HEARTBEAT_MS: int(100)
    .default(15_000)
    .describe(
      'The longest time between two heartbeats of a stream, so that no middle box closes it. Up to 500 viewers of a process get two a second.',
    ),
  STALL_TIMEOUT_MS: int(100)
    .default(60_000)
    .describe(
      'A viewer that has read nothing, or an upload that has sent nothing or less than 1 KiB per second, for this long is dropped, in ms.',
    ),
  TOKEN_SECRET: z
    .string()
    .refine((s) => s === '' || Buffer.byteLength(s) >= 32, 'must be at least 32 bytes')
    .default('')
    .describe(
      'Secret that signs the tokens of jobs, 32 bytes or more, the same for every API process. Empty: made once and kept in `DATA_DIR` (refused with `NODE_ENV=production`).',
    ),
  JWT_SECRET: z
    .string()
    .refine((s) => s === '' || Buffer.byteLength(s) >= 32, 'must be at least 32 bytes')
    .default('')
    .describe('Shared secret of whoever signs the tokens of users (HS256). Empty: `TOKEN_SECRET`.'),
  JWT_PUBLIC_KEY: z
    .string()
    .default('')
    .describe(
      'Public key of whoever signs the tokens of users (RS256, ES256, EdDSA): PEM, or the path of a file with it.',
    ),
  JWT_JWKS_URL: z
    .union([z.literal(''), z.url({ protocol: /^https?$/ })])
    .default('')
    .describe('Address of a JSON Web Key Set with the keys that sign the tokens of users.'),
  JWT_ISSUER: z
    .string()
    .default('')
    .describe('Who has to have issued the tokens of users (`iss`). Empty: not checked.'),
  JWT_AUDIENCE: z
    .string()
    .min(1)
    .default('headway')
    .describe('Whom the tokens of users have to be for (`aud`).'),
  CORS_ORIGINS: z
    .string()
    .superRefine((text, context) => {
      if (text === '') return;
      const mistakes = text.split(',').flatMap((entry) => originMistake(entry.trim()) ?? []);
      if (mistakes.length > 0) context.addIssue([...new Set(mistakes)].join('; '));
    })
    .default('')
    .describe(
      'Origins whose pages may use the API with credentials, with commas between. Empty: only pages of its own origin.',
    ),
  PUBLIC_URL: z
    .string()
    .superRefine((text, context) => {
      const mistake = text === '' ? undefined : publicUrlMistake(text);
      if (mistake) context.addIssue(mistake);
    })
    .transform(normalPublicUrl)
    .default('')
    .describe(
      'Address of the service as clients see it, where a proxy serves it below a path: `https://example.org/headway`. Links, cookies and pages get that path, and requests are answered with it and without it. The same for every API process and worker. Empty: the service is at `/`.',
    ),
  TRUST_PROXY: z
    .string()
    .refine(
      areProxies,
      'must be none, or addresses, networks such as 10.0.0.0/8, loopback, linklocal, uniquelocal, with commas between',
    )
    .default('loopback')
    .describe(
      'Proxies whose `X-Forwarded-Proto` is believed, so that cookies are `Secure` where a proxy has the TLS: addresses, networks such as `10.0.0.0/8`, `loopback`, `linklocal`, `uniquelocal`, with commas between, or `none`.',
    ),
  ADMIN_TOKEN: z
    .string()
    .regex(/^$|^[\x21-\x7e]{16,}$/, 'must be at least 16 visible ASCII characters')
    .default('')
    .describe(
      'Who sends this as `Authorization: Bearer`, or as the password of HTTP Basic, may do everything. Empty: made once and kept in `DATA_DIR`; with `NODE_ENV=production` nobody may.',
    ),
  TOKEN_TTL_MS: int(1000)
    .default(7 * day)
    .describe("How long a job's token is valid, in ms."),
  IDEMPOTENCY_TTL_MS: int(1000).default(day).describe('How long an `Idempotency-Key` is remembered, in ms.'),
  WEBHOOK_HOSTS: z
    .string()
    .refine(
      (s) => hostPatterns(s) !== undefined,
      'must be names of hosts with commas between, without scheme and port: example.com, *.example.com, or * for all',
    )
    .default('')
    .describe(
      'The hosts that webhooks may call, with commas between: `example.com`, `*.example.com`, or `*` for all. Empty: webhooks are off.',
    ),
  WEBHOOK_ALLOW_PRIVATE: z
    .stringbool()
    .default(false)
    .describe('Whether webhooks may call private and loopback addresses, and those over `http://` too.'),
  WEBHOOK_SECRET: z
    .string()
    .refine((s) => s === '' || isWebhookSecret(s), SECRET_FORM)
    .default('')
    .describe(
      'Secret that signs the webhooks that bring none of their own: `whsec_` and 24 to 64 bytes in base64, the same for every API process and worker. Empty: made once by the worker and kept in `DATA_DIR`; with `NODE_ENV=production` each webhook has to bring one.',
    ),
  WEBHOOK_TIMEOUT_MS: int(100, 10 * minute)
    .default(10_000)
    .describe('A receiver of a webhook that has not answered in this time is tried again later, in ms.'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

/** The validated configuration. Times are in ms, sizes in bytes. */
export type Config = z.output<typeof configSchema>;

/** Thrown by {@link readConfig}; `problems` has one line per mistake. */
export class ConfigError extends StartError {
  override name = 'ConfigError';
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
  }
}

/**
 * Reads and validates the configuration. An empty variable counts as unset.
 * @param env usually `process.env`
 * @throws ConfigError with one line per wrong value
 */
export function readConfig(env: Record<string, string | undefined>): Config {
  const present = Object.fromEntries(
    Object.keys(configSchema.shape).flatMap((name) => (env[name] ? [[name, env[name]]] : [])),
  );
  const parsed = configSchema.safeParse(present);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => {
        const name = String(issue.path[0]);
        const shown = /SECRET|TOKEN$/.test(name) ? '' : ` (got ${JSON.stringify(env[name])})`;
        return `${name}: ${issue.message}${shown}`;
      }),
    );
  }
  const config = parsed.data;
  return { ...config, FILES_DIR: config.FILES_DIR || `${config.DATA_DIR}/files` };
}
