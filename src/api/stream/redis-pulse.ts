import type { Redis } from 'ioredis';

/** How often Redis is asked for a sign of life, in ms. */
const PING_MS = 400;
/** Without an answer for this long, Redis counts as away, in ms. */
const AWAY_MS = 1200;

export interface RedisPulseOptions {
  /** The connections that viewers depend on. */
  connections: readonly Redis[];
  /** Whether anybody needs to know. While nobody does, nothing is asked. */
  needed: () => boolean;
  /** Called after each look. @param away whether Redis does not answer */
  onLook: (away: boolean) => void;
}

/**
 * Watches whether Redis answers on behalf of the viewers, who have to learn within two seconds that what they see may be
 * old: also when the connection stays open and nothing comes any more.
 * @returns stops it
 */
export function watchPulse({ connections, needed, onLook }: RedisPulseOptions): () => void {
  const answeredAt = new Map(connections.map((redis) => [redis, performance.now()]));
  const asking = new Set<Redis>();
  let lookedAt = performance.now();

  async function ask(redis: Redis): Promise<void> {
    if (redis.status !== 'ready' || asking.has(redis)) return;
    asking.add(redis);
    await redis.ping().then(
      () => answeredAt.set(redis, performance.now()),
      () => {},
    );
    asking.delete(redis);
  }

  const timer = setInterval(() => {
    const now = performance.now();
    // A process that was busy or idle itself has not asked: nothing is known yet.
    const pausedFor = now - lookedAt - PING_MS;
    if (pausedFor > PING_MS) for (const [redis, at] of answeredAt) answeredAt.set(redis, at + pausedFor);
    if (!needed()) return;
    lookedAt = now;
    for (const redis of connections) void ask(redis);
    onLook([...answeredAt.values()].some((at) => now - at > AWAY_MS) || !connections.every(isReady));
  }, PING_MS);
  timer.unref();
  return () => clearInterval(timer);
}

const isReady = ({ status }: Redis): boolean => status === 'ready';
