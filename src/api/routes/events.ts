import { type Request, Router } from 'express';
import { HeadwayError } from '../../shared/errors.js';
import { meantJobId, type QueuePlan } from '../../shared/jobs/queues.js';
import type { Connection } from '../../shared/runtime/connection.js';
import type { Access } from '../auth/access.js';
import { type Credential, distinct } from '../auth/credential.js';
import { methods } from '../http/problem.js';
import type { OverviewSubject, OverviewViewers } from '../overview/viewers.js';
import type { StreamDoor } from '../stream/door.js';
import { followsRetries, type OpenJobChannel } from '../stream/job-channel.js';
import { MAX_CHANNELS } from '../stream/multiplexed.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { ChannelViewers } from '../stream/viewers.js';
import { createWatchTracer } from '../stream/watch-trace.js';

export interface EventRoutesOptions {
  access: Access;
  viewers: ChannelViewers;
  streams: StreamDoor;
  openJobChannel: OpenJobChannel;
  overviews: OverviewViewers;
  plan: QueuePlan;
  connection: Connection;
}

/**
 * `/v1/events`: many jobs over one connection, because browsers allow only six connections to a host over HTTP/1.1.
 * `?job=…&job=…` streams all events of the named jobs; `?jobs=mine` and `?queue=…` stream the state of each job.
 */
export function eventRoutes({
  access,
  viewers,
  streams,
  openJobChannel,
  overviews,
  plan,
  connection,
}: EventRoutesOptions): Router {
  const traceWatch = createWatchTracer(connection.redis, connection.keyspace);
  const router = Router();
  router.route('/').all(methods('GET')).get(streams.handler(watch));
  return router;

  async function watch(req: Request, stream: PendingStream): Promise<void> {
    const { job, jobs: jobsOf, queue } = req.query;
    if ([job, jobsOf, queue].filter((given) => given !== undefined).length > 1) {
      throw new HeadwayError('invalid-request', 'Use only one of job, jobs and queue.');
    }
    if (jobsOf === undefined && queue === undefined) return watchJobs(req, stream);
    const overview =
      jobsOf === undefined ? await queueOf(req, String(queue)) : await mineOf(req, String(jobsOf));
    stream.refusePoll();
    stream.requireAccepted();
    await overviews.answer(stream, overview, overview.credential);
  }

  async function mineOf(
    req: Request,
    jobsOf: string,
  ): Promise<OverviewSubject & { credential?: Credential | undefined }> {
    if (jobsOf !== 'mine') throw new HeadwayError('invalid-request', 'jobs must be mine.');
    const principal = await access.principal(req);
    if (!principal) {
      throw new HeadwayError('sign-in', 'Sign in, or start a job first.');
    }
    return { owner: principal.id, credential: principal.credential };
  }

  async function queueOf(
    req: Request,
    name: string,
  ): Promise<OverviewSubject & { credential?: Credential | undefined }> {
    const { credential } = await access.requireAdmin(req);
    if (!plan.names.includes(name)) throw new HeadwayError('not-found', 'No such queue.');
    const kinds = plan.kindsIn(name).map((kind) => kind.name);
    return { owner: undefined, queue: { name, kinds }, credential };
  }

  async function watchJobs(req: Request, stream: PendingStream): Promise<void> {
    const jobIds = jobIdsOf(req);
    const credentials: Array<Credential | undefined> = [];
    for (const jobId of jobIds) credentials.push((await access.authorize(req, jobId)).credential);
    stream.requireAccepted();
    const stays = followsRetries(req);
    const positions = stream.positions(jobIds.length);
    const channels = await Promise.all(jobIds.map((jobId, i) => openJobChannel(jobId, positions[i], stays)));
    await viewers.answer(stream, channels, distinct(credentials));
    traceWatch(stream, jobIds);
  }
}

function jobIdsOf(req: Request): string[] {
  const { job } = req.query;
  const jobIds = [...new Set([job ?? []].flat().map((id) => meantJobId(String(id))))];
  if (jobIds.length > 0 && jobIds.length <= MAX_CHANNELS) return jobIds;
  throw new HeadwayError('invalid-request', `Name 1 to ${MAX_CHANNELS} jobs with ?job=.`);
}
