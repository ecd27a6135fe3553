import type { JobDefinition } from '../jobs/definition.js';
import { type Config, readConfig } from './config.js';

/** Options of a program that uses Headway as a library. */
export interface LibraryOptions {
  /** `redis://`, `rediss://` or `unix:`. Defaults to the setting `REDIS_URL`. */
  redis?: string;
  /** Job definitions, and folders of job files (as in `JOBS_DIR`). */
  jobs: ReadonlyArray<JobDefinition | string>;
  /** Settings by name. They take precedence over environment variables. */
  settings?: Partial<Record<keyof Config, string | number | boolean>>;
}

/**
 * Returns the configuration of a program that uses Headway as a library.
 * @throws ConfigError with one line per wrong value
 */
export function librarySettings({ redis, settings = {} }: LibraryOptions): Config {
  const given = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
  return readConfig({
    ...process.env,
    // The log belongs to the embedding program, so Headway stays quiet by default.
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
    AUDIT_LOG: process.env.AUDIT_LOG ?? 'off',
    ...given,
    ...(redis === undefined ? {} : { REDIS_URL: redis }),
  });
}
