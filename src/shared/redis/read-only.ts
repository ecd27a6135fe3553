import { Redis } from 'ioredis';
import { isFromReplica } from './faults.js';
import { watchSwitches } from './sentinel.js';
import { runIn, serverOf, serverRun } from './server-run.js';

/** The wait between two probes of an address, in ms. It doubles after each probe. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 5000;
/** A probe without an answer is given up after this long, in ms. */
const ANSWER_MS = 3000;

interface Address {
  connections: Set<Redis>;
  /** The earliest time of the next probe, by the monotonic clock. */
  nextAt: number;
  probing: boolean;
  /** Ends the connections to the Sentinels that report a new master. */
  stopWatch?: (() => void) | undefined;
}
const addresses = new Map<string, Address>();

/**
 * Moves a connection to the new master after its server was demoted, if the address (a host name, a load balancer, Sentinels)
 * leads to the new master. The old server would keep the connection open and answer every write with READONLY, or with MASTERDOWN.
 *
 * After such an answer, the process probes the address with a short-lived connection. All connections to the old server,
 * including subscribers, are replaced only if the probe reaches another server that accepts writes. A server that stays
 * read-only for hours therefore costs one probe every five seconds, and reads from it continue. Pending commands are rejected
 * or sent again, depending on the role of the connection.
 *
 * With Sentinel, the address is also probed when a Sentinel reports a new master. A master that the Sentinels do not reach,
 * but this process does, would accept writes until it is demoted, and they would be lost.
 * @returns a function to call with each error reply of the connection
 */
export function followMaster(redis: Redis): (reply: Error) => void {
  const name = serverOf(redis);
  redis.on('connect', () => {
    const address = addresses.get(name) ?? open(redis);
    addresses.set(name, address);
    address.connections.add(redis);
  });
  redis.on('end', () => {
    const address = addresses.get(name);
    if (!address?.connections.delete(redis) || address.connections.size > 0) return;
    addresses.delete(name);
    address.stopWatch?.();
  });
  return (reply) => {
    const address = addresses.get(name);
    if (address && isFromReplica(reply)) void follow(address);
  };
}

function open({ options }: Redis): Address {
  const address: Address = { connections: new Set(), nextAt: 0, probing: false };
  if (options.sentinels) address.stopWatch = watchSwitches(options, () => void follow(address));
  return address;
}

/** Probes an address until it leads to a server that accepts writes. */
async function follow(address: Address): Promise<void> {
  if (address.probing) return;
  address.probing = true;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
    const now = performance.now();
    if (now < address.nextAt) await unreferencedSleep(address.nextAt - now);
    address.nextAt = performance.now() + waitMs;
    const [one] = address.connections;
    if (!one) break;
    const found = await probe(one);
    if (!found?.isMaster) continue;
    for (const redis of address.connections) {
      const elsewhere = found.run === '' || serverRun(redis) !== found.run;
      if (elsewhere && redis.status === 'ready') redis.disconnect(true);
    }
    break;
  }
  address.probing = false;
}

const unreferencedSleep = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });

/** Returns the server that a new connection reaches; `undefined` if none answers. */
async function probe(redis: Redis): Promise<{ run: string; isMaster: boolean } | undefined> {
  // `replyMapping` would change the type of the connection.
  const { replyMapping: _, ...options } = redis.options;
  const connection = new Redis({
    ...options,
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: true,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    reconnectOnError: null,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
  });
  connection.on('error', () => {});
  try {
    await connection.connect();
    const info = await connection.info();
    return { run: runIn(info), isMaster: /^role:master\b/m.test(info) };
  } catch (error) {
    // The server refuses INFO (NOPERM): reconnecting is the only way to find out whether it accepts writes.
    if ((error as Error).name === 'ReplyError') return { run: '', isMaster: true };
    return undefined;
  } finally {
    connection.disconnect();
  }
}
