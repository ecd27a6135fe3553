import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobLinks } from '../../shared/lifecycle/view.js';

export interface AcceptedOptions {
  /** Reads a job; the index of jobs has it from then on. */
  trackJob: SnapshotReader;
  readTombstone: TombstoneReader;
}

/**
 * What a 202 says of a job, but for its token. A job that was started before (an `Idempotency-Key`) may be gone by now.
 * @param base as for {@link jobLinks}
 * @param deduplicated it is another one, started before with the same deduplication key
 */
export async function acceptedJob(
  { trackJob, readTombstone }: AcceptedOptions,
  id: string,
  name: string,
  base: string,
  deduplicated: boolean,
) {
  const job = (await trackJob(id)) ?? (await readTombstone(id));
  return {
    id,
    name,
    state: job?.state ?? 'waiting',
    ...(deduplicated ? { deduplicated: true } : {}),
    links: jobLinks(id, base),
  };
}
