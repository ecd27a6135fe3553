import type { JobDefinition } from '../jobs/definition.js';
import { type Config, readConfig } from './config.js';

/** What a program that uses Headway as a library says. */
export interface LibraryOptions {
  /** `redis://`, `rediss://` or `unix:`. Default: the setting `REDIS_URL`. */
  redis?: string;
  /** Job definitions, and folders of job files (as in `JOBS_DIR`). */
  jobs: ReadonlyArray<JobDefinition | string>;
  /** Settings as in the environment, which count before it. */
  settings?: Partial<Record<keyof Config, string | number | boolean>>;
}

/**
 * The settings of a program that uses Headway as a library.
 * @throws ConfigError with one line per wrong value
 */
export function librarySettings({ redis, settings = {} }: LibraryOptions): Config {
  const given = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));
  return readConfig({
    ...process.env,
    // Its lines belong into a log of its own: the program is somebody else's.
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn',
    ...given,
    ...(redis === undefined ? {} : { REDIS_URL: redis }),
  });
}
