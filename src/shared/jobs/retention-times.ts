import type { Registry } from './registry.js';
import type { JobSettings } from './settings.js';

/** How long finished jobs are kept, in ms. */
export interface RetentionTimes {
  /** As the job says itself, else as its kind does, else as for all. */
  of(name: string, settings: JobSettings): number;
  /** The same for the scripts of the index: for all, by kind (JSON), and how long a job is remembered after that. */
  args: [keepMs: number, kinds: string, goneMs: number];
}

export function createRetentionTimes(
  { KEEP_JOBS_MS, GONE_JOBS_MS }: { KEEP_JOBS_MS: number; GONE_JOBS_MS: number },
  registry: Registry = new Map(),
): RetentionTimes {
  const kinds = new Map<string, number>();
  for (const { name, defaults } of registry.values()) {
    if (defaults?.keepMs !== undefined) kinds.set(name, defaults.keepMs);
  }
  return {
    of: (name, { keepMs }) => keepMs ?? kinds.get(name) ?? KEEP_JOBS_MS,
    args: [KEEP_JOBS_MS, JSON.stringify(Object.fromEntries(kinds)), GONE_JOBS_MS],
  };
}
