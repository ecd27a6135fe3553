import express, { type Request, type Response, Router } from 'express';
import { createPublisher } from '../../shared/channel/publisher.js';
import { createTail } from '../../shared/channel/reader.js';
import type { Config } from '../../shared/config.js';
import type { Connection } from '../../shared/connection.js';
import { HeadwayError } from '../../shared/errors.js';
import type { GoneReader } from '../../shared/job-index/gone.js';
import type { Access } from '../auth/access.js';
import { jobOfChannel, requirePermission } from '../channels/permission.js';
import { checkPublication, publishAll } from '../channels/publish.js';
import type { ChannelRule } from '../channels/rules.js';
import { methods } from '../problem.js';
import { requireJson } from '../require-json.js';
import { type BundledChannel, MAX_CHANNELS, positionsOf } from '../stream/bundle.js';
import { openJobChannel } from '../stream/job-channel.js';
import { lastEventIdOf, requireStream } from '../stream/request.js';
import type { Viewers } from '../stream/viewers.js';

const DEFAULT_CHANNEL = 'sse';
const MAX_LAST = 10_000;

export interface ChannelRoutesOptions {
  config: Config;
  connection: Connection;
  access: Access;
  readGone: GoneReader;
  viewers: Viewers;
  rules: ChannelRule[];
}

/** `/stream`: follow channels. `/v1/channels/:name`: publish to one. */
export function channelRoutes({
  config,
  connection,
  access,
  readGone,
  viewers,
  rules,
}: ChannelRoutesOptions): Router {
  const publisher = createPublisher({
    redis: connection.redis,
    prefix: config.KEY_PREFIX,
    logLength: config.CHANNEL_LOG_LENGTH,
    ttlMs: config.CHANNEL_TTL_MS,
    sharded: connection.server.sharded,
  });
  const tail = createTail(connection.redis, config.KEY_PREFIX);
  const router = Router();
  router.route('/stream').all(methods('GET')).get(follow);
  router
    .route('/v1/channels/:name')
    .all(methods('POST'))
    .post(requireJson, express.json({ limit: config.BODY_MAX_BYTES }), publish);
  return router;

  async function follow(req: Request, res: Response): Promise<void> {
    const names = channelNames(req);
    const last = lastOf(req);
    const principal = await access.principal(req);
    for (const name of names) {
      const jobId = jobOfChannel(name);
      if (jobId === undefined) requirePermission(rules, principal, 'subscribe', name);
      else await access.authorize(req, jobId);
    }
    requireStream(req);
    const positions = positionsOf(lastEventIdOf(req), names.length);
    const channels = await Promise.all(names.map((name, i) => placed(name, positions[i]!, last)));
    viewers.answer(req, res, channels, principal?.expiresAt);
  }

  /** A job's stream begins with all of it; of a channel that goes on for ever a newcomer gets what it asks for. */
  async function placed(name: string, position: string, last: number): Promise<BundledChannel> {
    const jobId = jobOfChannel(name);
    if (jobId !== undefined)
      return openJobChannel({ lifecycle: connection.lifecycle, readGone }, jobId, position);
    return position ? { name } : { name, after: await tail(name, last) };
  }

  async function publish(req: Request, res: Response): Promise<void> {
    const name = String(req.params.name);
    const principal = await access.principal(req);
    if (jobOfChannel(name) !== undefined) {
      throw new HeadwayError('forbidden', 'Only its worker publishes to the channel of a job.');
    }
    requirePermission(rules, principal, 'publish', name);
    const publication = await checkPublication(req.body);
    const ids = await publishAll(publisher, name, publication);
    res.json(publication.batch ? { ids } : { id: ids[0] });
  }
}

/** The channels that a request names, each once. */
function channelNames(req: Request): string[] {
  const { channel = DEFAULT_CHANNEL } = req.query;
  const names = [...new Set(Array.isArray(channel) ? channel.map(String) : [String(channel)])];
  if (names.length <= MAX_CHANNELS) return names;
  throw new HeadwayError(
    'invalid-request',
    `${names.length} channels are more than the ${MAX_CHANNELS} that one connection can follow.`,
  );
}

/** How many of the newest events a newcomer wants: `?last=`, none unless given. */
function lastOf(req: Request): number {
  const { last = '0' } = req.query;
  if (typeof last === 'string' && /^\d{1,5}$/.test(last) && Number(last) <= MAX_LAST) return Number(last);
  throw new HeadwayError('invalid-request', `last must be a whole number from 0 to ${MAX_LAST}.`);
}
