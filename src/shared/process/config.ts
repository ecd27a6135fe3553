import { z } from 'zod';
import { HOSTS_FORM, hostPatterns } from '../host-patterns.js';
import { isWebhookSecret, SECRET_FORM } from '../jobs/webhook-option.js';
import { StartError } from '../start-error.js';
import { accessSettings } from './access-settings.js';
import { alertSettings } from './alert-settings.js';
import { anonymousSettings } from './anonymous-settings.js';
import { jobLimitSettings } from './job-limit-settings.js';
import { limitSettings } from './limit-settings.js';
import { logSettings } from './log-settings.js';
import { metricsSettings } from './metrics-settings.js';
import { processSettings } from './process-settings.js';
import { normalPublicUrl, publicUrlMistake } from './public-url.js';
import { isSecretSetting } from './redact.js';
import { type RedisSettings, redisSettingMistakes, redisSettings } from './redis-settings.js';
import { readSecretFiles, SECRET_SETTINGS } from './secret-files.js';
import { secretList } from './secret-list.js';
import { shardSettings } from './shard-settings.js';
import { shedSettings } from './shed-settings.js';
import { stopSettings } from './stop-settings.js';
import { storageSettings } from './storage-settings.js';
import { tlsSettings } from './tls-settings.js';

const int = (min: number, max = Number.MAX_SAFE_INTEGER) => z.coerce.number().int().min(min).max(max);

const MiB = 1024 * 1024;
const minute = 60_000;
const day = 24 * 60 * minute;

/**
 * All settings, read from the environment. `npm run docs:configuration` writes the descriptions to
 * docs/operations/configuration.md; a test checks that the two agree.
 */
export const configSchema = z.object({
  PORT: int(0, 65535).default(3000).describe('Port the API listens on. `0` picks a free port.'),
  HOST: z.string().min(1).default('127.0.0.1').describe('Address the API listens on.'),
  ...tlsSettings,
  ...redisSettings,
  KEY_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,40}$/, 'must be 1 to 40 letters, digits, "_", "." or "-"')
    .default('headway')
    .describe(
      'Prefix of every Redis key. Installations that share a Redis server need different prefixes. The prefix of the BullMQ keys is `{KEY_PREFIX}`, with the braces.',
    ),
  QUEUE_NAME: z
    .string()
    .regex(/^[A-Za-z0-9_-]{0,60}$/, 'must be up to 60 letters, digits, "_" or "-"')
    .default('')
    .describe(
      'Name of one BullMQ queue for all kinds of job. If empty, each kind has its own queue, named after it. The `queue` of a job definition takes precedence.',
    ),
  ...shardSettings,
  JOBS_DIR: z
    .string()
    .default('')
    .describe(
      'Folder with your job files (`.js`, `.mjs`, `.ts`, `.mts`). API and worker load them at start.',
    ),
  DATA_DIR: z
    .string()
    .min(1)
    .default('data')
    .describe(
      'Folder for data that has to survive a restart: files, generated secrets, the append-only file of the private Redis.',
    ),
  FILES_DIR: z
    .string()
    .default('')
    .describe(
      'Folder for uploads and result files, shared by API and workers. With `FILES_URL`, the folder of a machine for temporary copies. Defaults to `files` in `DATA_DIR`.',
    ),
  UPLOAD_MAX_BYTES: int(1)
    .default(2048 * MiB)
    .describe('Maximum size of an upload, in bytes.'),
  FILES_MIN_FREE_BYTES: int(0)
    .default(256 * MiB)
    .describe(
      'Space to keep free on the disk of `FILES_DIR`, in bytes. Uploads that would leave less are refused with 507. Room is reserved when an upload begins.',
    ),
  FILES_TTL_MS: int(1000)
    .default(day)
    .describe(
      'How long an upload is kept after its last use, in ms. It is also kept until every job that refers to it has completed. A result file is kept at least as long as its job.',
    ),
  BODY_MAX_BYTES: int(1024).default(MiB).describe('Maximum size of a JSON request body, in bytes.'),
  WORKER_CONCURRENCY: int(1, 1000)
    .default(4)
    .describe(
      'Maximum number of jobs of one queue that a worker process runs at the same time. The `concurrency` of a job definition takes precedence.',
    ),
  WORKER_JOBS: z
    .string()
    .regex(/^[a-z0-9-]*( *, *[a-z0-9-]+)*$/, 'must be a comma-separated list of job names')
    .default('')
    .describe('Kinds of job that a worker process runs, comma-separated. If empty, it runs all kinds.'),
  WORKER_THREADS: int(0, 1000)
    .default(0)
    .describe(
      'Maximum number of jobs with `thread: true` that a worker process runs at the same time. Jobs that wait for their children do not count. `0` means one per CPU core, shared by the processes of `WORKER_PROCESSES`.',
    ),
  PROGRESS_INTERVAL_MS: int(0, minute)
    .default(100)
    .describe(
      'Minimum time between two progress events of a job, in ms. Chunks of a partial result within this time are combined into one event. `0` turns coalescing off.',
    ),
  PARTIAL_MAX_BYTES: int(0)
    .default(4 * MiB)
    .describe('Maximum size of the partial result of one attempt, in bytes of JSON.'),
  JOB_LOG_LINES: int(1, 1_000_000)
    .default(1000)
    .describe('Maximum number of log lines per attempt of a job. Further lines are dropped.'),
  LOCK_DURATION_MS: int(1000)
    .default(30_000)
    .describe(
      'How long a worker may hold a job without renewing its lock, in ms. After that, the worker counts as lost and another worker takes the job.',
    ),
  STALLED_INTERVAL_MS: int(500)
    .default(15_000)
    .describe('How often workers check for jobs with an expired lock, in ms.'),
  MAX_STALLS: int(0, 1000)
    .default(3)
    .describe('How many times a job may lose its worker. The job fails the next time.'),
  ...processSettings,
  ...stopSettings,
  ...shedSettings,
  KEEP_JOBS_MS: int(1000)
    .default(day)
    .describe(
      'How long a finished job is kept with its log, files and channel, in ms. The `keepMs` of a job takes precedence.',
    ),
  GONE_JOBS_MS: int(0)
    .default(7 * day)
    .describe(
      'How long a removed job is remembered, in ms. During this time, requests for it return 410 instead of 404.',
    ),
  CHANNEL_LOG_LENGTH: int(10, 1_000_000)
    .default(10_000)
    .describe('Approximate number of events that the log of a channel keeps.'),
  CHANNEL_TTL_MS: int(1000)
    .default(day)
    .describe(
      'How long a channel is kept after its last event, in ms. Does not apply to the channels of jobs.',
    ),
  CHANNEL_RULES: z
    .string()
    .default('')
    .describe(
      'Rules for who may subscribe and publish to which channel: a JSON array, or the path of a file with one. If empty, access requires a token that names the channel. `npm start` opens `public.**` to everyone.',
    ),
  AUTHORIZE_MODULE: z
    .string()
    .default('')
    .describe(
      'Path of a module with an authorization hook as its default export. The hook decides what `CHANNEL_RULES` cannot express.',
    ),
  HEARTBEAT_MS: int(100)
    .default(15_000)
    .describe(
      'Maximum time between two heartbeats of a stream, in ms. Heartbeats keep proxies from closing idle streams. With up to 500 viewers, each one gets two per second.',
    ),
  STALL_TIMEOUT_MS: int(100)
    .default(60_000)
    .describe(
      'How long a connection may stall before it is closed, in ms: a stream whose viewer reads nothing, or an upload that sends less than 1 KiB per second.',
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
      'Public address of the service, needed if a proxy serves it below a path: `https://example.org/headway`. Links, cookies and pages use that path; requests are accepted with and without it. All API processes and workers need the same value. If empty, the service is at `/`.',
    ),
  ...accessSettings,
  ...storageSettings,
  ...limitSettings,
  ...anonymousSettings,
  ...metricsSettings,
  ...jobLimitSettings,
  TOKEN_TTL_MS: int(1000)
    .default(7 * day)
    .describe('How long a job token is valid, in ms.'),
  IDEMPOTENCY_TTL_MS: int(1000).default(day).describe('How long an `Idempotency-Key` is remembered, in ms.'),
  WEBHOOK_HOSTS: z
    .string()
    .refine((s) => hostPatterns(s) !== undefined, HOSTS_FORM)
    .default('')
    .describe(
      'Hosts that webhooks may call, comma-separated: `example.com`, `*.example.com`, or `*` for all. If empty, webhooks are off.',
    ),
  WEBHOOK_ALLOW_PRIVATE: z
    .stringbool()
    .default(false)
    .describe('Whether webhooks may call private and loopback addresses, including over `http://`.'),
  WEBHOOK_SECRET: secretList((secret) => (isWebhookSecret(secret) ? undefined : SECRET_FORM)).describe(
    'Default secret for signing webhooks: `whsec_` and 24 to 64 bytes in base64. Several secrets, comma-separated, all sign. All API processes and workers need the same ones. If empty, the worker generates a secret and stores it in `DATA_DIR`; with `NODE_ENV=production` every webhook needs its own secret.',
  ),
  WEBHOOK_TIMEOUT_MS: int(100, 10 * minute)
    .default(10_000)
    .describe(
      'How long a webhook receiver has to respond, in ms. After that, the delivery is retried later.',
    ),
  ...logSettings,
  ...alertSettings,
});

/** The validated configuration. Times are in ms, sizes in bytes. */
export type Config = z.output<typeof configSchema>;

/** The configuration is invalid. `problems` has one line per mistake. */
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
  const config = readSettings(configSchema, env);
  return { ...config, FILES_DIR: config.FILES_DIR || `${config.DATA_DIR}/files` };
}

/**
 * Reads only the settings that say where Redis is.
 * @throws ConfigError
 */
export const readRedisSettings = (env: Record<string, string | undefined>): RedisSettings =>
  readSettings(z.object(redisSettings), env);

function readSettings<S extends z.ZodObject<typeof redisSettings>>(
  schema: S,
  env: Record<string, string | undefined>,
): z.output<S> {
  const names = Object.keys(schema.shape);
  const present = Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const files = readSecretFiles(
    env,
    SECRET_SETTINGS.filter((name) => names.includes(name)),
  );
  const parsed = schema.safeParse({ ...present, ...files.secrets });
  const mistakes = (parsed.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0]);
    if (name in files.secrets) return `${name}_FILE: ${issue.message}`;
    const shown = isSecretSetting(name) ? '' : ` (got ${JSON.stringify(env[name])})`;
    return `${name}: ${issue.message}${shown}`;
  });
  if (!parsed.success || files.problems.length > 0) throw new ConfigError([...files.problems, ...mistakes]);
  const contradictions = redisSettingMistakes(parsed.data as RedisSettings);
  if (contradictions.length > 0) throw new ConfigError(contradictions);
  return parsed.data;
}
