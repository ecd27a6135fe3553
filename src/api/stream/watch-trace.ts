import type { ServerResponse } from 'node:http';
import { parseForeign } from '../../shared/jobs/foreign-json.js';
import { requireAddress } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { queueNameOf } from '../../shared/shards.js';
import { traceOf, tracing } from '../../shared/tracing/tracing.js';
import { onEnded } from '../exchange/exchange.js';

/**
 * Traces the stream of jobs until its viewer has left, in the trace of each job. Does nothing while tracing is off; otherwise
 * it reads the trace of each job from Redis, after the stream was opened.
 */
export type WatchTracer = (stream: { res: ServerResponse }, jobIds: readonly string[]) => void;

export function createWatchTracer(redis: RedisClient, keyspace: Keyspace): WatchTracer {
  return ({ res }, jobIds) => {
    const active = tracing();
    if (!active) return;
    const watch = active.bind(async (jobId: string) => {
      const { queue, id } = requireAddress(jobId);
      const [kind, opts] = await redis.hmget(keyspace.queueKey(queue, id), 'name', 'opts');
      onEnded(
        res,
        active.watch(
          { id: jobId, kind: kind ?? '', queue: queueNameOf(queue) },
          traceOf(parseForeign(opts ?? '')),
        ),
      );
    });
    // Without Redis, the stream is not traced.
    for (const jobId of jobIds) watch(jobId).catch(() => {});
  };
}
