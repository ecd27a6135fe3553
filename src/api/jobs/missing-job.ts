import { HeadwayError } from '../../shared/errors.js';
import type { Tombstone, TombstoneReader } from '../../shared/job-index/tombstones.js';
import { jobNotFound } from '../auth/access.js';

/**
 * Why there is nothing to show to somebody who may see the job: it is not kept any more, and the problem tells what is
 * still known of it; or it never was, or has been forgotten.
 */
export async function missingJob(readTombstone: TombstoneReader, jobId: string): Promise<HeadwayError> {
  const gone = await readTombstone(jobId);
  return gone ? jobIsGone(gone) : jobNotFound();
}

function jobIsGone({ owner: _owner, ...known }: Tombstone): HeadwayError {
  const how = known.state === 'cancelled' ? 'was cancelled' : `has ${known.state}`;
  return new HeadwayError('gone', `The job ${how} and is not kept any more.`, undefined, { members: known });
}
