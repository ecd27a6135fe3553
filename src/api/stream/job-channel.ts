import type { Request } from 'express';
import { sawEnd } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { GoneReader } from '../../shared/job-index/gone.js';
import type { Lifecycle } from '../../shared/lifecycle/reconcile.js';
import { missingJob } from '../jobs/gone.js';
import type { BundledChannel } from './multiplexed.js';

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
  { lifecycle, readGone }: { lifecycle: Lifecycle; readGone: GoneReader },
  jobId: string,
  position: string | undefined,
  stays = false,
): Promise<BundledChannel> {
  const { job, epoch, end } = await lifecycle.reconcile(jobId);
  if (!job && !epoch) throw await missingJob(readGone, jobId);
  return { name: jobChannel(jobId), over: !stays && sawEnd(position ?? '', { epoch, end }), stays };
}
