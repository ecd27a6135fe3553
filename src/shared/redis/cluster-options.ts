import type { ClusterOptions } from 'ioredis';
import { type Options, reconnectWaitMs } from './address.js';
import { noteDenied } from './denied.js';

/** How often the slots are read again, in ms. A MOVED reply and a lost node lead to it at once. */
const REFRESH_MS = 5000;
/** How long one node has to answer with its slots, in ms. */
const SLOTS_ANSWER_MS = 1000;

/** Adds to the options of a node's connection the hook of ioredis for error replies. */
export const nodeOptionsOf = (options: Options): Options => ({
  ...options,
  reconnectOnError(error) {
    noteDenied(error);
    return false;
  },
});

/** Returns the options of ioredis for a Cluster, however it is used. @param redisOptions of {@link nodeOptionsOf} */
export const clusterOptions = (redisOptions: Options) =>
  ({
    clusterRetryStrategy: reconnectWaitMs,
    slotsRefreshTimeout: SLOTS_ANSWER_MS,
    slotsRefreshInterval: REFRESH_MS,
    // The certificate of a node has its name.
    dnsLookup: (name, callback) => callback(null, name),
    redisOptions,
  }) satisfies ClusterOptions;
