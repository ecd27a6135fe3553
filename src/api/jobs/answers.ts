import { HeadwayError } from '../../shared/errors.js';
import type { Tombstone, TombstoneReader } from '../../shared/job-index/tombstones.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobLinks } from '../../shared/lifecycle/view.js';
import { jobNotFound } from '../auth/access.js';

export interface AcceptedOptions {
  /** Reads a job and adds it to the index of jobs. */
  trackJob: SnapshotReader;
  readTombstone: TombstoneReader;
}

/**
 * Returns the body of a 202, without the token of the job. A job that was started earlier with the same
 * `Idempotency-Key` may have been removed.
 * @param base as for {@link jobLinks}
 * @param deduplicated whether this is another job, started earlier with the same deduplication key
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

/**
 * Returns the error for a job that the caller may see and that does not exist: `gone` with what is still known when the
 * job was removed, `not-found` when it never existed or has been forgotten.
 */
export async function missingJob(readTombstone: TombstoneReader, jobId: string): Promise<HeadwayError> {
  const tombstone = await readTombstone(jobId);
  return tombstone ? jobIsGone(tombstone) : jobNotFound();
}

function jobIsGone({ owner: _owner, ...known }: Tombstone): HeadwayError {
  const how = known.state === 'cancelled' ? 'was cancelled' : `has ${known.state}`;
  return new HeadwayError('gone', `The job ${how} and has been removed.`, undefined, { members: known });
}
