import type { Request } from 'express';
import { sawEnd } from '../../shared/channel/frame.js';
import type { ChannelHub } from '../../shared/channel/hub.js';
import { jobChannel } from '../../shared/channel/keys.js';
import { HeadwayError } from '../../shared/errors.js';
import type { TombstoneReader } from '../../shared/job-index/tombstones.js';
import type { Reconciler } from '../../shared/lifecycle/reconcile.js';
import { shareCalls } from '../../shared/process/shared-calls.js';
import { missingJob } from '../jobs/answers.js';
import type { MultiplexedChannel } from './multiplexed.js';

/**
 * Whether the viewer wants the stream to stay open after the end of the job, to see a retry (`?retries=follow`).
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
 * Reconciles a job, so that its channel is up to date, and returns the channel for a viewer.
 * @param position the id of the last event that the viewer has seen
 * @param stays whether the stream stays open after the end of the job; defaults to false
 * @throws HeadwayError `gone` for a job that has been removed, `not-found` for an unknown job
 */
export type OpenJobChannel = (
  jobId: string,
  position: string | undefined,
  stays?: boolean,
) => Promise<MultiplexedChannel>;

/**
 * Viewers that open the channel of a job at the same time share a reconciliation. A viewer that joins others on an open
 * channel needs none: the jobs of those viewers are kept up to date.
 */
export function createJobChannelOpener(
  reconciler: Reconciler,
  readTombstone: TombstoneReader,
  hub: Pick<ChannelHub, 'isKnownOpen'>,
): OpenJobChannel {
  const reconcile = shareCalls((jobId) => reconciler.reconcile(jobId));
  return async (jobId, position, stays = false) => {
    const name = jobChannel(jobId);
    if (hub.isKnownOpen(name)) return { name, stays };
    const { job, epoch, end } = await reconcile(jobId);
    if (!job && !epoch) throw await missingJob(readTombstone, jobId);
    return { name, over: !stays && sawEnd(position ?? '', { epoch, end }), stays };
  };
}
