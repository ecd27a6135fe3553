import { HeadwayError } from '../../shared/errors.js';
import type { GoneJob, GoneReader } from '../../shared/job-index/gone.js';
import { jobNotFound } from '../auth/access.js';

/**
 * Why there is nothing to show to somebody who may see the job: it is not kept any more, and the problem tells what is
 * still known of it; or it never was, or has been forgotten.
 */
export async function missingJob(readGone: GoneReader, jobId: string): Promise<HeadwayError> {
  const gone = await readGone(jobId);
  return gone ? jobGone(gone) : jobNotFound();
}

function jobGone({ owner: _owner, ...known }: GoneJob): HeadwayError {
  const how = known.state === 'cancelled' ? 'was cancelled' : `has ${known.state}`;
  return new HeadwayError('gone', `The job ${how} and is not kept any more.`, undefined, { members: known });
}
