import { createHash, randomUUID } from 'node:crypto';
import type { Job, Queue } from 'bullmq';
import { inShard, queueIn, SHARD_SUFFIX, shardFor, splitQueue } from '../shards.js';
import type { JobDefinition } from './definition.js';
import { type Registry, RegistryError } from './registry.js';

/** The address of a job in BullMQ. */
export interface JobAddress {
  /** The queue in its shard: see `inShard`. */
  queue: string;
  id: string;
}

/**
 * Creates the id of a new job: the name of its queue in its shard, a dot, a random UUID. It is also the job's id in BullMQ, so
 * every tool finds the job under the same id.
 */
export const newJobId = (queue: string): string => `${queue}.${randomUUID()}`;

/**
 * Creates the id of a new job that starts a family, in one of several shards.
 * @param seed jobs with the same seed are in the same shard. Defaults to the id itself
 */
export function placedJobId(queue: string, shards: number, seed?: string): string {
  const uuid = randomUUID();
  return `${inShard(queue, shardFor(seed ?? uuid, shards))}.${uuid}`;
}

/** The form of {@link newJobId}: the UUID has version 4. */
const RANDOM_ID = new RegExp(
  `^[A-Za-z0-9_-]{1,60}(?:${SHARD_SUFFIX})?\\.[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`,
);

/** Whether a job id was made by {@link newJobId}, so that no job had it before. Other ids may be used again. */
export const isRandomId = (jobId: string): boolean => RANDOM_ID.test(jobId);

/** The end of an id that {@link newJobId} or {@link derivedJobId} made. */
const UUID = /\.[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a job id was made for a caller who started the job. Parents and schedules make ids of other forms. */
export const isIdOfStart = (jobId: string): boolean => UUID.test(jobId);

/** Creates a job id from a seed. The same seed gives the same id. */
export function derivedJobId(queue: string, seed: string): string {
  const bytes = createHash('sha256').update(seed).digest().subarray(0, 16);
  // A UUID of version 8: "custom" (RFC 9562, section 5.8).
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  const uuid = [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
  return `${queue}.${uuid}`;
}

/** The form of ids that need no encoding: the queue's name in its shard, a dot, and the rest. */
const PLAIN_ID = new RegExp(
  `^([A-Za-z0-9_-]{1,60}(?:${SHARD_SUFFIX})?)\\.[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,129}$`,
);
/** The form of encoded ids: queue in its shard, two dots, id. Reserved bytes are encoded as `~` and two hexadecimal digits. */
const ENCODED_ID = new RegExp(
  `^((?:[A-Za-z0-9_-]|~[0-9A-F]{2}){1,300})(${SHARD_SUFFIX})?\\.\\.((?:[A-Za-z0-9_.:-]|~[0-9A-F]{2})+)$`,
);
/** The maximum length of an id, which must fit into the first line of a request. */
const MAX_ID_LENGTH = 2000;

/**
 * Returns the id under which clients know a job. An id that another tool chose gets the form `<queue>..<id>`. Characters
 * that cannot be part of a path or of a channel name are encoded as the bytes of their UTF-8 form: `a/b` as `a~2Fb`.
 */
export function jobIdOf({ queue, id }: JobAddress): string {
  if (PLAIN_ID.exec(id)?.[1] === queue) return id;
  const { shard, name } = splitQueue(queue);
  return `${inShard(encode(name, /[^\w-]/gu), shard)}..${encode(id, /[^\w.:-]/gu)}`;
}

/** Parses the result of {@link jobIdOf}; `undefined` for text that is not a job id. */
export function addressOf(jobId: string): JobAddress | undefined {
  if (jobId.length > MAX_ID_LENGTH) return undefined;
  const plainQueue = PLAIN_ID.exec(jobId)?.[1];
  if (plainQueue !== undefined) return { queue: plainQueue, id: jobId };
  const [, queue, shard = '', id] = ENCODED_ID.exec(jobId) ?? [];
  if (queue === undefined || id === undefined) return undefined;
  const address = { queue: decode(queue) + shard, id: decode(id) };
  // Only one spelling of an id is valid, because access is granted by id.
  return jobIdOf(address) === jobId ? address : undefined;
}

/**
 * Parses a job id that was checked before, for example one that Headway created.
 * @throws TypeError for text that is not a job id
 */
export function requireAddress(jobId: string): JobAddress {
  const address = addressOf(jobId);
  if (!address) throw new TypeError(`not a job id: ${JSON.stringify(jobId)}`);
  return address;
}

/** Returns BullMQ's id of a job. BullMQ's types leave it out for a job that is not stored yet. */
export function storedId({ id }: Pick<Job, 'id'>): string {
  if (id === undefined) throw new TypeError('the job is not stored yet');
  return id;
}

/** Returns the id under which clients know a job of BullMQ's. */
export const idOfStored = (job: Pick<Job, 'id' | 'queueQualifiedName'>): string =>
  jobIdOf({ queue: queueIn({ qualifiedName: job.queueQualifiedName }), id: storedId(job) });

/** Returns the Redis key of a job of BullMQ's. */
export const keyOfStored = (job: Pick<Job, 'id' | 'queueQualifiedName'>): string =>
  `${job.queueQualifiedName}:${storedId(job)}`;

/**
 * Encodes the id that a client has sent. Clients may write the id of another tool unencoded, as in `steps..order/7`.
 * @returns the text unchanged when it cannot be a job id
 */
export function meantJobId(given: string): string {
  if (addressOf(given)) return given;
  const [, queue, id] = /^(.{1,100}?)\.\.(.{1,1000})$/su.exec(given) ?? [];
  const meant = queue && id ? jobIdOf({ queue, id }) : given;
  return addressOf(meant) ? meant : given;
}

const encode = (text: string, unsafe: RegExp): string =>
  text.replace(unsafe, (char) =>
    Array.from(Buffer.from(char), (byte) => `~${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

const decode = (text: string): string =>
  Buffer.from(
    text.replace(/[^~]|~(..)/g, (char, hex?: string) => hex ?? char.charCodeAt(0).toString(16)),
    'hex',
  ).toString();

/** The assignment of the kinds of job to queues. */
export interface QueuePlan {
  /** The names of all queues. */
  names: string[];
  /** Returns the queue of a kind of job. */
  of(kind: string): string;
  /** Returns the kinds of job in a queue. */
  kindsIn(queue: string): JobDefinition[];
}

/**
 * Assigns each kind of job to a queue: the queue that its definition names, else a queue with the name of the kind.
 * @param shared the queue for all kinds that name none and have no limits; "" for separate queues
 * @throws RegistryError for a kind with limits (`concurrency`, `rateLimit`), or of another program, that would share its queue
 */
export function planQueues(registry: Registry, shared: string): QueuePlan {
  const queues = new Map<string, JobDefinition[]>();
  const byKind = new Map<string, string>();
  for (const definition of registry.values()) {
    const { concurrency, rateLimit, external } = definition;
    const isSeparate = concurrency !== undefined || rateLimit !== undefined || external;
    const queue = definition.queue ?? (shared && !isSeparate ? shared : definition.name);
    byKind.set(definition.name, queue);
    queues.set(queue, [...(queues.get(queue) ?? []), definition]);
  }
  for (const [queue, kinds] of queues) {
    const limited = kinds.find(({ concurrency, rateLimit }) => concurrency ?? rateLimit);
    if (limited && kinds.length > 1) {
      const others = kinds.filter((kind) => kind !== limited).map(({ name }) => name);
      throw new RegistryError(
        `the job "${limited.name}" has a concurrency or rateLimit, which applies to a whole queue, but shares the queue "${queue}" with ${others.join(', ')}: give it a separate queue`,
      );
    }
  }
  for (const [queue, kinds] of queues) {
    const external = kinds.find((kind) => kind.external);
    const own = kinds.find((kind) => !kind.external);
    if (external && own) {
      throw new RegistryError(
        `the job "${external.name}" is run by a worker of another program, which takes all jobs of a queue, but shares the queue "${queue}" with ${own.name}: give it a separate queue`,
      );
    }
  }
  return {
    names: [...queues.keys()],
    of: (kind) => byKind.get(kind) ?? (shared || kind),
    kindsIn: (queue) => queues.get(queue) ?? [],
  };
}

/** Returns BullMQ's queue of a name in its shard: see `inShard`. Each queue is opened once, on first use. */
export type OpenQueue = (name: string) => Queue;
