import type { Registry } from './registry.js';
import type { JobSettings } from './settings.js';

/** How long jobs are kept after their end, in ms. */
export interface RetentionTimes {
  /** Returns the time for a job: its own setting, else that of its kind, else `KEEP_JOBS_MS`. */
  of(kind: string, settings: JobSettings): number;
  /** Arguments for the scripts of the index: the default, the times by kind (JSON), and how long a tombstone is kept. */
  args: [keepMs: number, byKind: string, tombstoneMs: number];
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
    of: (kind, { keepMs }) => keepMs ?? kinds.get(kind) ?? KEEP_JOBS_MS,
    args: [KEEP_JOBS_MS, JSON.stringify(Object.fromEntries(kinds)), GONE_JOBS_MS],
  };
}
