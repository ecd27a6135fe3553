import { HeadwayError } from '../../shared/errors.js';
import type { Tombstone, TombstoneReader } from '../../shared/job-index/tombstones.js';
import { jobLinks } from '../../shared/jobs/links.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { jobNotFound } from '../auth/access.js';

/** Reads the state of a job that was started earlier. */
export type StateReader = (jobId: string) => Promise<string | undefined>;

/** Creates a reader that also knows jobs that have been removed, and adds a job to the index that is missing there. */
export const createStateReader =
  (trackJob: SnapshotReader, readTombstone: TombstoneReader): StateReader =>
  async (jobId) =>
    ((await trackJob(jobId)) ?? (await readTombstone(jobId)))?.state;

/** The body of a 202, without the token of the job. */
export interface AcceptedJob {
  id: string;
  name: string;
  state: string;
  /** Another job, started earlier with the same deduplication key, was returned. */
  deduplicated?: boolean;
  links: ReturnType<typeof jobLinks>;
}

/**
 * Returns the body of a 202, without the token of the job.
 * @param state `undefined` for a job that was removed and forgotten
 * @param base as for {@link jobLinks}
 * @param deduplicated whether this is another job, started earlier with the same deduplication key
 */
export const acceptedJob = (
  id: string,
  name: string,
  state: string | undefined,
  base: string,
  deduplicated: boolean,
): AcceptedJob => ({
  id,
  name,
  state: state ?? 'waiting',
  ...(deduplicated ? { deduplicated: true } : {}),
  links: jobLinks(id, base),
});

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
