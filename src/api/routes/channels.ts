import { type Request, type Response, Router } from 'express';
import { sawEnd } from '../../shared/channel/frame.js';
import type { ChannelHub } from '../../shared/channel/hub.js';
import { jobChannel, jobOfChannel } from '../../shared/channel/keys.js';
import { channelLimits } from '../../shared/channel/limits.js';
import { createPublisher } from '../../shared/channel/publisher.js';
import { createTail, readEnd } from '../../shared/channel/reader.js';
import type { WatcherQuery } from '../../shared/channel/watchers.js';
import { HeadwayError } from '../../shared/errors.js';
import { meantJobId } from '../../shared/jobs/queues.js';
import type { Config } from '../../shared/process/config.js';
import { shareCalls } from '../../shared/process/shared-calls.js';
import type { Connection } from '../../shared/runtime/connection.js';
import type { Access } from '../auth/access.js';
import { type Credential, distinct } from '../auth/credential.js';
import { type Principal, visitorPrincipal } from '../auth/principal.js';
import type { Permissions } from '../channels/permission.js';
import { checkPublication, createPublishAll } from '../channels/publish.js';
import { replayFromOf } from '../channels/replay-from.js';
import { jsonBody } from '../http/body.js';
import { methods } from '../http/problem.js';
import { scopedKey } from '../jobs/idempotency.js';
import type { StreamDoor } from '../stream/door.js';
import type { OpenJobChannel } from '../stream/job-channel.js';
import { MAX_CHANNELS, type MultiplexedChannel } from '../stream/multiplexed.js';
import type { PendingStream } from '../stream/pending-stream.js';
import type { ChannelViewers } from '../stream/viewers.js';

const DEFAULT_CHANNEL = 'sse';
/** Maximum time for which the Idempotency-Key of a publication is stored, in ms. */
const KEY_TTL_MS = 10 * 60_000;

export interface ChannelRoutesOptions {
  config: Config;
  connection: Connection;
  access: Access;
  permissions: Permissions;
  presence: WatcherQuery;
  hub: ChannelHub;
  viewers: ChannelViewers;
  streams: StreamDoor;
  openJobChannel: OpenJobChannel;
}

/** `/stream`: watch channels. `/v1/channels/:name`: publish to a channel, and count its viewers. */
export function channelRoutes({
  config,
  connection,
  access,
  permissions,
  presence,
  hub,
  viewers,
  streams,
  openJobChannel,
}: ChannelRoutesOptions): Router {
  const { redis, keyspace } = connection;
  const publisher = createPublisher({
    redis,
    keyspace,
    logLength: config.CHANNEL_LOG_LENGTH,
    limits: channelLimits(config),
    ttlMs: config.CHANNEL_TTL_MS,
    sharded: connection.server.sharded,
  });
  const publishAll = createPublishAll({
    redis,
    keyspace,
    publisher,
    // Enough for any series of retries. The records of a whole day could fill Redis.
    keyTtlMs: Math.min(config.IDEMPOTENCY_TTL_MS, KEY_TTL_MS),
  });
  const tail = createTail(redis, keyspace);
  const newestIn = shareCalls((name) => tail(name, { last: 0 }));
  const endOf = shareCalls((name) => readEnd(redis, keyspace, name));
  const router = Router();
  router.route('/stream').all(methods('GET')).get(streams.handler(follow));
  router
    .route('/v1/channels/:name')
    .all(methods('GET', 'POST'))
    .get(show)
    .post(jsonBody(config.BODY_MAX_BYTES), publish);
  return router;

  async function follow(req: Request, stream: PendingStream): Promise<void> {
    const replayFrom = replayFromOf(req);
    const principal = await access.principal(req);
    const credentials: Array<Credential | undefined> = [principal?.credential];
    const names: string[] = [];
    for (const name of channelNames(req)) {
      const jobId = jobOfChannel(name);
      if (jobId === undefined) names.push(await permissions.require(principal, 'subscribe', name));
      else {
        credentials.push((await access.authorize(req, jobId)).credential);
        names.push(name);
      }
    }
    stream.requireAccepted();
    const positions = stream.positions(names.length);
    const channels = await Promise.all(
      names.map(async (name, i): Promise<MultiplexedChannel> => {
        const jobId = jobOfChannel(name);
        // The stream of a job begins with its first event. Other channels do not end: a new viewer gets what it asks for.
        if (jobId !== undefined) {
          return openJobChannel(jobId, positions[i]);
        }
        const position = positions[i];
        if (position) return { name, over: !hub.isKnownOpen(name) && sawEnd(position, await endOf(name)) };
        const wantsHistory = !('last' in replayFrom) || replayFrom.last > 0;
        return { name, after: await (wantsHistory ? tail(name, replayFrom) : newestIn(name)) };
      }),
    );
    await viewers.answer(stream, channels, distinct(credentials));
  }

  async function publish(req: Request, res: Response): Promise<void> {
    const name = String(req.params.name);
    const principal = await access.principal(req);
    if (jobOfChannel(name) !== undefined) {
      throw new HeadwayError('forbidden', 'Only workers can publish to the channel of a job.');
    }
    const channel = await permissions.require(principal, 'publish', name);
    const publication = await checkPublication(req.body);
    const key = keyOf(req, principal);
    const ids = await publishAll(channel, publication.events, key ? { key, body: req.body } : undefined);
    res.json(publication.batch ? { ids } : { id: ids[0] });
  }

  async function show(req: Request, res: Response): Promise<void> {
    const name = meantChannel(String(req.params.name));
    const jobId = jobOfChannel(name);
    if (jobId !== undefined) await access.authorize(req, jobId);
    const channel =
      jobId === undefined ? await permissions.require(await access.principal(req), 'presence', name) : name;
    const { watchers, complete } = await presence.watchers(channel);
    res.set('Cache-Control', 'no-store').json({ channel: name, watchers, complete });
  }
}

/** Returns the `Idempotency-Key` of a request, scoped to the caller. Unidentified callers share one scope. */
function keyOf(req: Request, principal: Principal | undefined): string | undefined {
  const header = req.get('idempotency-key');
  return header === undefined ? undefined : scopedKey(header, principal ?? visitorPrincipal(''));
}

/** Returns the canonical name of a channel. The name of a job's channel contains the canonical id of the job. */
function meantChannel(name: string): string {
  const jobId = jobOfChannel(name);
  return jobId === undefined ? name : jobChannel(meantJobId(jobId));
}

/** Returns the distinct channels that a request names. */
function channelNames(req: Request): string[] {
  const { channel = DEFAULT_CHANNEL } = req.query;
  const names = [...new Set([channel].flat().map((name) => meantChannel(String(name))))];
  if (names.length <= MAX_CHANNELS) return names;
  throw new HeadwayError(
    'invalid-request',
    `One connection can watch at most ${MAX_CHANNELS} channels, not ${names.length}.`,
  );
}
