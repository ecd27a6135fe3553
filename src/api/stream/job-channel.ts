import type { Request } from 'express';
import { sawEnd } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import { missingJob } from '../jobs/answers.js';
import type { MultiplexedChannel } from './multiplexed.js';

/**
 * Whether the viewer asks to stay after the end of a job, so that it sees a retry (`?retries=follow`).
 * @throws HeadwayError `invalid-request` for any other value
 */
export function followsRetries(req: Request): boolean {
  const { retries } = req.query;
  if (retries !== undefined && retries !== 'follow') {
    throw new HeadwayError('invalid-request', 'retries must be follow.');
  }
  return retries === 'follow';
}

/**
 * The channel of a job, after it has been made to tell the truth, for a viewer that has seen what `position` says.
 * @param stays the viewer stays after the end
 * @throws HeadwayError `gone` for one that is kept no more, `not-found` for one that is not known
 */
export async function openJobChannel(
  { reconciler, readTombstone }: { reconciler: Reconciler; readTombstone: TombstoneReader },
  jobId: string,
  position: string | undefined,
  stays = false,
): Promise<MultiplexedChannel> {
  const { job, epoch, end } = await reconciler.reconcile(jobId);
  if (!job && !epoch) throw await missingJob(readTombstone, jobId);
  return { name: jobChannel(jobId), over: !stays && sawEnd(position ?? '', { epoch, end }), stays };
}
