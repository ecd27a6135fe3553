import { type Cluster, Redis } from 'ioredis';
import { mistakeIn, type Reason, textOf } from './unusable.js';

/** How long to wait for the connection to a node, and for each of its answers, in ms. */
const ANSWER_MS = 1000;

interface Place {
  host: string;
  port: number;
}
/** The part of a reply to `CLUSTER SLOTS` that is used: a range of slots and its master. */
type SlotRange = [from: number, to: number, master: [host: string | null, port: number]];

/** Internals of ioredis that its types leave out: the nodes of the settings. */
const startupNodesOf = (cluster: Cluster): Place[] =>
  (cluster as unknown as { startupNodes: Place[] }).startupNodes;

const addressOf = ({ host, port }: Place): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Returns why a Cluster is not ready: a mistake if each node of the settings has one, or if a master has one; otherwise a reason
 * for waiting; `undefined` if there is none. It asks on connections of its own: the errors of ioredis say only that a connection
 * is closed, and it says nothing of nodes without an address.
 */
export async function explainCluster(cluster: Cluster): Promise<Reason | undefined> {
  const answers = await askEach(cluster, startupNodesOf(cluster), readTopology);
  const [topology] = answers.flatMap(({ reply }) => (reply ? [reply] : []));
  if (!topology) return reasonFrom(answers, (faults) => faults.every(({ mistake }) => mistake));
  const { masters, isUp, served } = topology;
  const waitFor = (text: string): Reason => ({ text, isMistake: false });
  if (masters.length === 0) {
    return waitFor('the nodes of the Cluster have no slots yet (redis-cli --cluster create)');
  }
  if (masters.some(({ host }) => !host)) {
    return waitFor(
      'the Cluster does not name the address of a master: set cluster-announce-ip or cluster-announce-hostname on its nodes',
    );
  }
  const places = new Map(masters.map((place) => [addressOf(place), place]));
  const reason = reasonFrom(await askEach(cluster, [...places.values()], (node) => node.ping()), (faults) =>
    faults.some(({ mistake }) => mistake),
  );
  return reason ?? (isUp ? undefined : waitFor(`the Cluster is down: ${served} of 16384 slots are served`));
}

/** What a node says about its Cluster. */
interface Topology {
  /** The masters of all ranges of slots. The host of one without an address is empty. */
  masters: Place[];
  isUp: boolean;
  /** The number of slots that are served. */
  served: number;
}

async function readTopology(node: Redis): Promise<Topology> {
  const [ranges, info] = await Promise.all([
    node.cluster('SLOTS') as unknown as Promise<SlotRange[]>,
    node.cluster('INFO') as Promise<string>,
  ]);
  return {
    // Without the host name that a Cluster prefers, it is "?".
    masters: ranges.map(([, , [host, port]]) => ({ host: host === '?' ? '' : (host ?? ''), port })),
    isUp: /^cluster_state:ok/m.test(info),
    served: Number(/^cluster_slots_ok:(\d+)/m.exec(info)?.[1] ?? 0),
  };
}

interface Answer<T> {
  node: string;
  reply?: T;
  error?: Error;
}

/** Asks nodes the same, each on a new connection. */
const askEach = <T>(
  cluster: Cluster,
  places: Place[],
  question: (node: Redis) => Promise<T>,
): Promise<Array<Answer<T>>> =>
  Promise.all(
    places.map(async (place): Promise<Answer<T>> => {
      // `replyMapping` would change the type of the connection.
      const { replyMapping: _, ...options } = cluster.options.redisOptions ?? {};
      const redis = new Redis({
        ...options,
        ...place,
        retryStrategy: () => null,
        reconnectOnError: null,
        enableReadyCheck: false,
        enableOfflineQueue: true,
        connectTimeout: ANSWER_MS,
        commandTimeout: ANSWER_MS,
      });
      try {
        // The reason why the connection failed, which the error of the command leaves out.
        const failed = new Promise<never>((_resolve, reject) => redis.on('error', reject));
        return { node: addressOf(place), reply: await Promise.race([question(redis), failed]) };
      } catch (error) {
        return { node: addressOf(place), error: error as Error };
      } finally {
        redis.disconnect();
      }
    }),
  );

/** Returns the faults in answers in words; `undefined` if there are none. @param isMistake judges all faults together */
function reasonFrom(
  answers: ReadonlyArray<Answer<unknown>>,
  isMistake: (faults: Array<{ mistake: string | undefined }>) => boolean,
): Reason | undefined {
  const faults = answers.flatMap(({ node, error }) =>
    error ? [{ mistake: mistakeIn(error, node), text: `${node}: ${textOf(error)}` }] : [],
  );
  const mistake = faults.find((fault) => fault.mistake)?.mistake;
  if (faults.length === 0) return undefined;
  return mistake && isMistake(faults)
    ? { text: mistake, isMistake: true }
    : { text: faults.map((fault) => fault.mistake ?? fault.text).join('; '), isMistake: false };
}
