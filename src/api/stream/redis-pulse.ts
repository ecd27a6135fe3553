import type { Service } from '../../shared/process/service.js';

/** How often the connections are checked, in ms. */
const PING_MS = 400;
/** Redis counts as away when it has not answered for this long, in ms. */
const AWAY_MS = 1200;

/** A connection, or those to all nodes of a Cluster. */
interface Answering {
  readonly status: string;
  ping(): Promise<unknown>;
}

export interface RedisPulseOptions {
  /** The connections that viewers depend on. */
  connections: readonly Answering[];
  /** Whether there is a viewer. Without viewers, nothing is checked. */
  needed: () => boolean;
  /** Called after each check. @param away whether Redis does not answer */
  onCheck: (away: boolean) => void;
}

/**
 * Checks whether Redis answers. Also detects connections that stay open although nothing arrives on them any more.
 * Viewers have to learn within two seconds that what they see may be old.
 */
export function watchPulse({ connections, needed, onCheck }: RedisPulseOptions): Service {
  const answeredAt = new Map(connections.map((redis) => [redis, performance.now()]));
  /** When the pings were sent that are not answered yet. */
  const sentAt = new Map<Answering, number>();
  let checkedAt = performance.now();

  async function ping(redis: Answering, now: number): Promise<void> {
    // A ping whose connection has ended may never be answered or rejected, so it is not waited for.
    const sent = sentAt.get(redis);
    if (redis.status !== 'ready' || (sent !== undefined && now - sent < AWAY_MS)) return;
    sentAt.set(redis, now);
    await redis.ping().then(
      () => answeredAt.set(redis, performance.now()),
      () => {},
    );
    if (sentAt.get(redis) === now) sentAt.delete(redis);
  }

  const timer = setInterval(() => {
    const now = performance.now();
    // While this process was busy, or had no viewers, it did not ping: that time does not count.
    const pausedFor = now - checkedAt - PING_MS;
    if (pausedFor > PING_MS) for (const [redis, at] of answeredAt) answeredAt.set(redis, at + pausedFor);
    if (!needed()) return;
    checkedAt = now;
    for (const redis of connections) void ping(redis, now);
    onCheck([...answeredAt.values()].some((at) => now - at > AWAY_MS) || !connections.every(isReady));
  }, PING_MS);
  timer.unref();
  return { stop: async () => clearInterval(timer) };
}

const isReady = ({ status }: Answering): boolean => status === 'ready';
