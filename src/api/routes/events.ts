import { type Request, type Response, Router } from 'express';
import type { Connection } from '../../shared/connection.js';
import { HeadwayError } from '../../shared/errors.js';
import type { GoneReader } from '../../shared/job-index/gone.js';
import type { Access } from '../auth/access.js';
import { type Credential, distinct } from '../auth/credential.js';
import { methods } from '../problem.js';
import { MAX_CHANNELS, positionsOf } from '../stream/bundle.js';
import { openJobChannel } from '../stream/job-channel.js';
import { lastEventIdOf, requireStream } from '../stream/request.js';
import type { Viewers } from '../stream/viewers.js';

export interface EventRoutesOptions {
  connection: Connection;
  access: Access;
  readGone: GoneReader;
  viewers: Viewers;
}

/** `/v1/events?job=…&job=…`: many jobs over one connection (browsers allow six per host over HTTP/1.1). */
export function eventRoutes({ connection, access, readGone, viewers }: EventRoutesOptions): Router {
  const jobs = { lifecycle: connection.lifecycle, readGone };
  const router = Router();
  router.route('/').all(methods('GET')).get(watchJobs);
  return router;

  async function watchJobs(req: Request, res: Response): Promise<void> {
    const jobIds = jobIdsOf(req);
    const credentials: Array<Credential | undefined> = [];
    for (const jobId of jobIds) credentials.push((await access.authorize(req, jobId)).credential);
    requireStream(req);
    const positions = positionsOf(lastEventIdOf(req), jobIds.length);
    const channels = await Promise.all(jobIds.map((jobId, i) => openJobChannel(jobs, jobId, positions[i])));
    viewers.answer(req, res, channels, distinct(credentials));
  }
}

function jobIdsOf(req: Request): string[] {
  const { job } = req.query;
  const jobIds = [...new Set([job ?? []].flat().map(String))];
  if (jobIds.length > 0 && jobIds.length <= MAX_CHANNELS) return jobIds;
  throw new HeadwayError('invalid-request', `Name the jobs with ?job=, 1 to ${MAX_CHANNELS} of them.`);
}
