import { type Cluster, Redis } from 'ioredis';
import { mistakeIn, type Reason, textOf } from './unusable.js';

/** How long to wait for the connection to a node, and for each of its answers, in ms. */
const ANSWER_MS = 1000;

interface Place {
  host: string;
  port: number;
}
/** The part of a reply to `CLUSTER SLOTS` that is used: a range of slots and its master. */
type SlotRange = [from: number, to: number, master: [host: string, port: number]];

/** Internals of ioredis that its types leave out: the nodes of the settings. */
const startupNodesOf = (cluster: Cluster): Place[] =>
  (cluster as unknown as { startupNodes: Place[] }).startupNodes;

const addressOf = ({ host, port }: Place): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/**
 * Returns why a Cluster is not ready: a mistake if each node of the settings has one, or if a master has one; otherwise a reason
 * for waiting; `undefined` if all masters answer. It asks on connections of its own: the errors of ioredis say only that a
 * connection is closed.
 */
export async function explainCluster(cluster: Cluster): Promise<Reason | undefined> {
  const answers = await askEach(cluster, startupNodesOf(cluster), async (node) => {
    const ranges = (await node.cluster('SLOTS')) as unknown as SlotRange[];
    return ranges.map(([, , [host, port]]) => ({ host, port }));
  });
  const [masters] = answers.flatMap(({ reply }) => (reply ? [reply] : []));
  if (!masters) return reasonFrom(answers, (faults) => faults.every(({ mistake }) => mistake));
  const places = new Map(masters.map((place) => [addressOf(place), place]));
  return reasonFrom(await askEach(cluster, [...places.values()], (node) => node.ping()), (faults) =>
    faults.some(({ mistake }) => mistake),
  );
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
