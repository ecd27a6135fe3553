import type { JobDefinition } from '../jobs/definition.js';
import { type Config, readConfig } from './config.js';
import type { Logger } from './log.js';
import { REDIS_SETTINGS } from './redis-settings.js';
import { SECRET_SETTINGS } from './secret-files.js';

/** Options of a program that uses Headway as a library. */
export interface LibraryOptions {
  /**
   * `redis://`, `rediss://`, `unix:`, `redis+sentinel://` or `redis+cluster://`. Defaults to the setting `REDIS_URL`. If it is given, the
   * `REDIS_…` variables of the environment are ignored; `settings` can have others.
   */
  redis?: string;
  /** Job definitions, and folders of job files (as in `JOBS_DIR`). */
  jobs: ReadonlyArray<JobDefinition | string>;
  /** Settings by name. They take precedence over environment variables. */
  settings?: Partial<
    Record<keyof Config | `${(typeof SECRET_SETTINGS)[number]}_FILE`, string | number | boolean>
  >;
  /**
   * Ends the wait for a Redis that is away at the start, such as `AbortSignal.timeout(10_000)`. By default, the wait has no
   * limit, and a warning is logged every few seconds.
   */
  signal?: AbortSignal;
}

/**
 * Returns the configuration of a program that uses Headway as a library.
 * @throws ConfigError with one line per wrong value
 */
export function librarySettings({ redis, settings = {} }: LibraryOptions): Config {
  const given: Record<string, string> = {
    ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)])),
    ...(redis === undefined ? {} : { REDIS_URL: redis }),
  };
  const replaced = SECRET_SETTINGS.filter((name) => name in given || `${name}_FILE` in given);
  return readConfig({
    ...process.env,
    ...(redis === undefined ? {} : withoutRedis()),
    ...Object.fromEntries(
      replaced.flatMap((name) => [
        [name, undefined],
        [`${name}_FILE`, undefined],
      ]),
    ),
    // The log belongs to the embedding program, so Headway stays quiet by default.
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
    AUDIT_LOG: process.env.AUDIT_LOG ?? 'off',
    ...given,
  });
}

/**
 * Returns the configuration of an embedded service, which is one process: its application decides how many there are. Warns of
 * a setting that asks for more.
 */
export function inOneProcess(
  config: Config,
  setting: 'API_PROCESSES' | 'WORKER_PROCESSES',
  log: Logger,
): Config {
  if (config[setting] !== 1)
    log.warn(`${setting} is ignored: the application decides how many processes run`);
  return { ...config, API_PROCESSES: 1, WORKER_PROCESSES: 1 };
}

/** The credentials and certificates of the environment belong to the server of its `REDIS_URL`. */
export const withoutRedis = (): Record<string, undefined> =>
  Object.fromEntries(
    REDIS_SETTINGS.flatMap((name) => [name, `${name}_FILE`]).map((name) => [name, undefined]),
  );
