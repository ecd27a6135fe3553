import type { JobDefinition } from '../jobs/definition.js';
import { type Config, readConfig } from './config.js';
import { SECRET_SETTINGS } from './secret-files.js';

/** Options of a program that uses Headway as a library. */
export interface LibraryOptions {
  /** `redis://`, `rediss://` or `unix:`. Defaults to the setting `REDIS_URL`. */
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
