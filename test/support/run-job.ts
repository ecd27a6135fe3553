import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { type FolderStore, openFolderStore } from '../../src/shared/files/folder-store.js';
import type { JobContext, JobDefinition } from '../../src/shared/jobs/definition.js';
import { createProgress, type ProgressData } from '../../src/worker/reporting/progress.js';
import { jobFiles } from '../../src/worker/run/job-files.js';
import { temporaryFolder } from './folder.js';

/** Opens a file store in a temporary folder. */
export const openTestStore = (): FolderStore =>
  openFolderStore({ dir: temporaryFolder(), ttlMs: 60_000, minFreeBytes: 0, maxBytes: 1e9 });

/** Runs one built-in job without a queue and Redis, and returns its result and its reports. */
export async function runJob(
  definition: JobDefinition,
  data: Record<string, unknown>,
  { signal = new AbortController().signal, store = openTestStore() } = {},
) {
  const progress = createProgress({ jobId: '1', attempt: 1, stages: definition.stages });
  const seen: ProgressData[] = [];
  const log: string[] = [];
  const partials: unknown[] = [];
  let now = 0;
  const ctx = {
    jobId: '1',
    attempt: 1,
    signal,
    progress: async (update) => {
      progress.update(update, ++now);
      seen.push(progress.snapshot(now));
    },
    stage: (stage) => progress.stage(stage, ++now),
    log: async (level: string, message?: string) => void log.push(message ?? level),
    partial: async (chunk: unknown) => void partials.push(chunk),
    files: jobFiles(store, '1', ''),
  } as JobContext;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the result of its job
  const result = (await definition.run(data as never, ctx)) as any;
  return { result, seen, log, partials, store, content: (id: string) => readFileSync(store.path(id)) };
}

/** Runs one built-in job on one file. */
export async function runOnFile(
  definition: JobDefinition,
  content: string | Uint8Array,
  { data = {}, name = 'data.csv', signal = new AbortController().signal, store = openTestStore() } = {},
) {
  const file = await store.save(name, Readable.from([Buffer.from(content)]));
  return runJob(definition, { file: file.id, ...data }, { signal, store });
}
