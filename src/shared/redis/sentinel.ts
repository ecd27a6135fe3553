import { Redis } from 'ioredis';
import { type Options, reconnectWaitMs, SENTINEL_ANSWER_MS } from './address.js';
import { watchLiveness } from './liveness.js';

/** What a Sentinel says about the master that a connection looks for. */
export interface SentinelAnswer {
  /** Address of the Sentinel. */
  sentinel: string;
  /** Address of the master; `undefined` if the Sentinel knows no master of that name, or has not answered. */
  master?: string;
  error?: Error;
}

type Place = NonNullable<Options['sentinels']>[number];

const CONNECT_MS = 3000;
/** Longest wait before a Sentinel is asked again to report a new master, in ms. */
const LONGEST_WAIT_MS = 10_000;

const addressOf = (host: unknown, port: unknown): string =>
  String(host).includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** Opens a connection to one Sentinel. @param options those of a connection to the master */
function openSentinel({ host, port }: Place, options: Options, more: Options): Redis {
  const sentinel = new Redis({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(options.sentinelUsername ? { username: options.sentinelUsername } : {}),
    ...(options.sentinelPassword ? { password: options.sentinelPassword } : {}),
    ...(options.sentinelTLS ? { tls: options.sentinelTLS } : {}),
    connectTimeout: CONNECT_MS,
    enableReadyCheck: false,
    disableClientInfo: true,
    autoResubscribe: false,
    ...more,
  });
  sentinel.on('error', () => {});
  return sentinel;
}

/**
 * Asks each Sentinel of a connection which server the master is.
 * @param options the options of the connection
 */
export const askSentinels = (options: Options): Promise<SentinelAnswer[]> =>
  Promise.all(
    (options.sentinels ?? []).map(async (place): Promise<SentinelAnswer> => {
      const sentinel = addressOf(place.host, place.port);
      const redis = openSentinel(place, options, {
        retryStrategy: () => null,
        commandTimeout: SENTINEL_ANSWER_MS,
      });
      try {
        // The reason why the connection failed, which the error of the command leaves out.
        const failed = new Promise<never>((_resolve, reject) => redis.once('error', reject));
        const asked = redis.call('SENTINEL', 'get-master-addr-by-name', options.name ?? '');
        const found = (await Promise.race([asked, failed])) as [string, string] | null;
        return found ? { sentinel, master: addressOf(...found) } : { sentinel };
      } catch (error) {
        return { sentinel, error: error as Error };
      } finally {
        redis.disconnect();
      }
    }),
  );

/**
 * Calls `onSwitch` when a Sentinel reports a new master, and when it may have done so while the connection to it was lost.
 * @param options the options of a connection to the master
 * @returns a function that ends it
 */
export function watchSwitches(options: Options, onSwitch: () => void): () => void {
  const sentinels = (options.sentinels ?? []).map((place) => {
    const sentinel = openSentinel(place, options, {
      retryStrategy: (times) => Math.min(5 * reconnectWaitMs(times), LONGEST_WAIT_MS),
      maxRetriesPerRequest: null,
    });
    watchLiveness(sentinel, { listens: true });
    let isFirst = true;
    sentinel.on('ready', () => {
      sentinel.subscribe('+switch-master').catch(() => {});
      if (!isFirst) onSwitch();
      isFirst = false;
    });
    sentinel.on('message', (_channel: string, message: string) => {
      if (message.startsWith(`${options.name} `)) onSwitch();
    });
    return sentinel;
  });
  return () => {
    for (const sentinel of sentinels) sentinel.disconnect();
  };
}
