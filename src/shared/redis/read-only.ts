import { Redis } from 'ioredis';
import { isReadOnly } from './faults.js';
import { serverOf } from './server-of.js';
import { runIn, serverRun } from './server-run.js';

/** How long after the first refusal, and after each look, an address is looked at again, in ms: doubled each time. */
const FIRST_LOOK_MS = 1000;
const LAST_LOOK_MS = 5000;
/** A server that does not answer for this long is looked at later, in ms. */
const ANSWER_MS = 3000;

interface Address {
  connections: Set<Redis>;
  /** When the next look may begin, by the monotonic clock. */
  nextAt: number;
  looking: boolean;
}
const addresses = new Map<string, Address>();

/**
 * Moves a connection to the new master when its server was demoted and its address (a name, a load balancer) leads to
 * another server now. The old server keeps such a connection open for ever and answers writes with READONLY.
 *
 * A refusal makes this process look where the address leads, with one short connection. Only when that is another server,
 * one that takes writes, are the connections to the old one replaced, those that only listen too. So a server that stays
 * read-only for hours costs a look every five seconds, and its readers are not disturbed. Commands under way are rejected
 * or sent again, as the role of the connection says.
 */
export function followMaster(redis: Redis): void {
  const name = serverOf(redis);
  redis.on('connect', () => {
    const address = addresses.get(name) ?? { connections: new Set(), nextAt: 0, looking: false };
    addresses.set(name, address);
    address.connections.add(redis);
  });
  redis.on('end', () => {
    const address = addresses.get(name);
    address?.connections.delete(redis);
    if (address?.connections.size === 0) addresses.delete(name);
  });
  // ioredis' way to see what is refused. It would replace the connection each time, wherever the address leads.
  redis.options.reconnectOnError = (error) => {
    const address = addresses.get(name);
    if (address && isReadOnly(error)) void follow(address);
    return false;
  };
}

/** Looks until the address leads to a server that takes writes. */
async function follow(address: Address): Promise<void> {
  if (address.looking) return;
  address.looking = true;
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(2 * waitMs, LAST_LOOK_MS)) {
    const now = performance.now();
    if (now < address.nextAt) await unhurried(address.nextAt - now);
    address.nextAt = performance.now() + waitMs;
    const [one] = address.connections;
    if (!one) break;
    const found = await lookBehind(one);
    if (!found?.isMaster) continue;
    for (const redis of address.connections) {
      const elsewhere = found.run === '' || serverRun(redis) !== found.run;
      if (elsewhere && redis.status === 'ready') redis.disconnect(true);
    }
    break;
  }
  address.looking = false;
}

const unhurried = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** The server that a new connection reaches; undefined when none answers. */
async function lookBehind(redis: Redis): Promise<{ run: string; isMaster: boolean } | undefined> {
  // ioredis types the connection by this one.
  const { replyMapping: _, ...options } = redis.options;
  const probe = new Redis({
    ...options,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: true,
    retryStrategy: () => null,
    reconnectOnError: null,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
  });
  probe.on('error', () => {});
  try {
    await probe.connect();
    const info = await probe.info();
    return { run: runIn(info), isMaster: /^role:master\b/m.test(info) };
  } catch (error) {
    // A server that does not say what it is (NOPERM): to connect anew is the only way to find out.
    if ((error as Error).name === 'ReplyError') return { run: '', isMaster: true };
    return undefined;
  } finally {
    probe.disconnect();
  }
}
