import { createProcessPresence } from '../../shared/dashboard/presence.js';
import { FADING, KEPT_RUNS, type PastRun, parseRun, runsKey } from '../../shared/estimates/past-runs.js';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import type { QueuePlan } from '../../shared/jobs/queues.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { RedisClient } from '../../shared/redis/client.js';

/** How long a reading is valid, in ms. */
const FRESH_MS = 10_000;

/** How fast a queue usually takes its jobs. */
export interface UsualPace {
  /** The time between two jobs that are taken, in ms. */
  msPerJob: number;
  /** How many jobs run at the same time. */
  slots: number;
}

/**
 * Returns the pace of workers that run jobs of one kind, all of them busy; `undefined` if too little is known.
 * @param runs earlier runs of the kind, newest first
 */
export function usualPaceOf(
  runs: readonly PastRun[],
  slots: number,
  rateLimit?: JobDefinition['rateLimit'],
): UsualPace | undefined {
  if (runs.length === 0 || slots === 0) return undefined;
  const weights = runs.map((_, i) => FADING ** i);
  // Not the median: jobs that take long delay all that wait behind them.
  const work = runs.reduce((sum, { ms }, i) => sum + ms * (weights[i] ?? 0), 0);
  const msPerRun = work / weights.reduce((sum, weight) => sum + weight, 0);
  const limited = rateLimit ? rateLimit.perMs / rateLimit.max : 0;
  return { msPerJob: Math.max(msPerRun / slots, limited), slots };
}

/**
 * Returns how fast a queue usually takes its jobs. Unknown of a queue with several kinds, because it is not known which of them
 * wait, of a kind without earlier runs, and while only workers of other programs take its jobs.
 */
export type UsualPaceReader = (queue: string) => Promise<UsualPace | undefined>;

export function createUsualPaceReader(
  redis: RedisClient,
  keyspace: Keyspace,
  plan: Pick<QueuePlan, 'kindsIn'>,
): UsualPaceReader {
  const presence = createProcessPresence(redis, keyspace);
  const known = new Map<string, { at: number; pace: Promise<UsualPace | undefined> }>();

  async function read(queue: string, { name, rateLimit }: JobDefinition): Promise<UsualPace | undefined> {
    const [processes, runs] = await Promise.all([
      presence.all(),
      redis.lrange(runsKey(keyspace, name), 0, KEPT_RUNS - 1),
    ]);
    const slots = processes
      .filter(({ stopping }) => !stopping)
      .flatMap(({ queues = [] }) => queues.filter((served) => served.name === queue))
      .reduce((sum, { concurrency }) => sum + concurrency, 0);
    return usualPaceOf(
      runs.flatMap((text) => parseRun(text) ?? []),
      slots,
      rateLimit,
    );
  }

  return async (queue) => {
    const [kind, ...others] = plan.kindsIn(queue);
    if (!kind || others.length > 0) return undefined;
    const now = performance.now();
    const reading = known.get(queue);
    if (reading && now - reading.at < FRESH_MS) return reading.pace;
    // An estimate is not worth an error: another tool may have replaced the list.
    const pace = read(queue, kind).catch(() => undefined);
    known.set(queue, { at: now, pace });
    return pace;
  };
}
