import { sawEnd } from '../../shared/channel/frame.js';
import { jobChannel } from '../../shared/channel/keys.js';
import type { GoneReader } from '../../shared/job-index/gone.js';
import type { Lifecycle } from '../../shared/lifecycle/reconcile.js';
import { missingJob } from '../jobs/gone.js';
import type { BundledChannel } from './bundle.js';

/**
 * The channel of a job, after it has been made to tell the truth, for a viewer that has seen what `position` says.
 * @throws HeadwayError `gone` for one that is kept no more, `not-found` for one that is not known
 */
export async function openJobChannel(
  { lifecycle, readGone }: { lifecycle: Lifecycle; readGone: GoneReader },
  jobId: string,
  position: string | undefined,
): Promise<BundledChannel> {
  const { job, epoch, end } = await lifecycle.reconcile(jobId);
  if (!job && !epoch) throw await missingJob(readGone, jobId);
  return { name: jobChannel(jobId), over: sawEnd(position ?? '', { epoch, end }) };
}
