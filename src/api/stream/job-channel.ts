import { parseEventId } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import type { Lifecycle } from '../../shared/lifecycle/reconcile.js';
import { jobNotFound } from '../auth/access.js';
import type { BundledChannel } from './bundle.js';

/**
 * The channel of a job, after it has been made to tell the truth, for a viewer that has seen what `position` says.
 * @throws HeadwayError `not-found`
 */
export async function openJobChannel(
  lifecycle: Lifecycle,
  jobId: string,
  position: string | undefined,
): Promise<BundledChannel> {
  const { job, epoch, end } = await lifecycle.reconcile(jobId);
  if (!job && !epoch) throw jobNotFound();
  const seen = position ? parseEventId(position) : undefined;
  const over = seen !== undefined && end !== undefined && seen.epoch === epoch && seen.offset >= end;
  return { name: jobChannel(jobId), over };
}
