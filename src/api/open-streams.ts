import { ChannelHub } from '../shared/channel/hub.js';
import { createReader } from '../shared/channel/reader.js';
import type { Core } from './core.js';
import type { Overload } from './http/overload.js';
import type { Auth } from './open-auth.js';
import type { Jobs } from './open-jobs.js';
import { maxStreamsOfProcess, StreamAdmission } from './stream/admission.js';
import { StreamDoor } from './stream/door.js';
import { createJobChannelOpener } from './stream/job-channel.js';
import { loadBound } from './stream/socket-bound.js';
import type { ViewerSetOptions } from './stream/viewer-set.js';
import { ChannelViewers } from './stream/viewers.js';

export type Streams = ReturnType<typeof openStreams>;

/** Opens the parts that serve streams of channels: the door, the hub of subscriptions, and the viewers. */
export function openStreams(
  { config, connection, subscriberRedis, limiter, log }: Core,
  { readTombstone }: Jobs,
  { access, revocations }: Pick<Auth, 'access' | 'revocations'>,
  overload: Overload,
) {
  loadBound(log);
  const hub = new ChannelHub({
    redis: subscriberRedis,
    read: createReader(connection.redis, connection.keyspace),
    keyspace: connection.keyspace,
    sharded: connection.server.sharded,
    onError: (error) => log.debug({ err: error }, 'could not subscribe; retrying when Redis is back'),
  });
  const viewerOptions: ViewerSetOptions = {
    isRevoked: revocations.isRevoked,
    stallTimeoutMs: config.STALL_TIMEOUT_MS,
    log,
  };
  const viewers = new ChannelViewers({ ...viewerOptions, hub, heartbeatMs: config.HEARTBEAT_MS });
  const admission = new StreamAdmission({
    access,
    callers: limiter,
    atOnce: limiter.atOnce,
    opens: limiter.streamOpens,
    maxStreams: maxStreamsOfProcess(config.LIMIT_STREAMS_PROCESS),
  });
  const streams = new StreamDoor({
    redis: connection.redis,
    heartbeatMs: config.HEARTBEAT_MS,
    admission,
    overload,
    log,
  });
  const openJobChannel = createJobChannelOpener(connection.reconciler, readTombstone, hub);
  return { hub, viewerOptions, viewers, streams, openJobChannel };
}
