import { createHash, randomUUID } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { JobDefinition } from './definition.js';
import { type Registry, RegistryError } from './registry.js';

/** Where a job is in BullMQ: its queue, and its id there. */
export interface JobAddress {
  queue: string;
  id: string;
}

/**
 * The id of a job that is about to be made: the name of its queue, a dot, a random UUID. It is BullMQ's id too, so
 * that the job is found under the same id by every tool.
 */
export const newJobId = (queue: string): string => `${queue}.${randomUUID()}`;

/** The id of a job that follows from a seed: made again, it is the same. */
export function derivedJobId(queue: string, seed: string): string {
  const bytes = createHash('sha256').update(seed).digest().subarray(0, 16);
  // A UUID of version 8: "custom" (RFC 9562, section 5.8).
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  const uuid = [8, 12, 16, 20, 32].map((end, i) => hex.slice([0, 8, 12, 16, 20][i], end)).join('-');
  return `${queue}.${uuid}`;
}

/** The ids that are written as they are: their queue's name, a dot, and the rest. */
const PLAIN_ID = /^([A-Za-z0-9_-]{1,60})\.[A-Za-z0-9_:-][A-Za-z0-9_.:-]{0,129}$/;
/** Queue and id of a job that another tool named, with what no id can contain written as `~` and two hexadecimal digits. */
const WRITTEN_ID = /^((?:[A-Za-z0-9_-]|~[0-9A-F]{2}){1,300})\.\.((?:[A-Za-z0-9_.:-]|~[0-9A-F]{2})+)$/;
/** Longer ones are not followed: an id has to fit into the first line of a request. */
const MAX_ID_LENGTH = 2000;

/**
 * The id under which a job is known to clients. One that another tool gave an id of its own has two dots: `<queue>..<id>`.
 * Whatever cannot stand in a path, or in the name of a channel, is written as the bytes of its UTF-8 form: `a/b` as `a~2Fb`.
 */
export const jobIdOf = ({ queue, id }: JobAddress): string =>
  PLAIN_ID.exec(id)?.[1] === queue ? id : `${written(queue, /[^\w-]/gu)}..${written(id, /[^\w.:-]/gu)}`;

/** The opposite of {@link jobIdOf}; `undefined` for what cannot be the id of a job. */
export function addressOf(jobId: string): JobAddress | undefined {
  if (jobId.length > MAX_ID_LENGTH) return undefined;
  const plain = PLAIN_ID.exec(jobId);
  if (plain) return { queue: plain[1]!, id: jobId };
  const match = WRITTEN_ID.exec(jobId);
  if (!match) return undefined;
  const address = { queue: read(match[1]!), id: read(match[2]!) };
  // A job has one id only: what opens one name of it must not meet another.
  return jobIdOf(address) === jobId ? address : undefined;
}

/**
 * The id that a client means: it may write that of another tool as it is, `steps..order/7`.
 * @returns what cannot be the id of a job as it was given
 */
export function meantJobId(given: string): string {
  if (addressOf(given)) return given;
  const [, queue, id] = /^(.{1,100}?)\.\.(.{1,1000})$/su.exec(given) ?? [];
  const meant = queue && id ? jobIdOf({ queue, id }) : given;
  return addressOf(meant) ? meant : given;
}

const written = (text: string, unsafe: RegExp): string =>
  text.replace(unsafe, (char) =>
    Array.from(Buffer.from(char), (byte) => `~${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );

const read = (text: string): string =>
  Buffer.from(
    text.replace(/[^~]|~(..)/g, (char, hex?: string) => hex ?? char.charCodeAt(0).toString(16)),
    'hex',
  ).toString();

/** BullMQ's key of a job or of one of a queue's lists and sets. */
export const queueKey = (prefix: string, queue: string, suffix: string): string =>
  `${prefix}:${queue}:${suffix}`;

/** Which queue each kind of job is in. */
export interface QueuePlan {
  /** All queues. */
  names: string[];
  /** The queue of a kind of job. */
  of(kind: string): string;
  /** The kinds in a queue. */
  kindsIn(queue: string): JobDefinition[];
}

/**
 * Gives each kind of job its queue: the one that its definition names, else one of its own that is named like it, or
 * with `shared` that one for all kinds that do not need their own.
 * @throws RegistryError for a kind with limits (`concurrency`, `rateLimit`) that would share its queue
 */
export function planQueues(registry: Registry, shared: string): QueuePlan {
  const queues = new Map<string, JobDefinition[]>();
  const byKind = new Map<string, string>();
  for (const definition of registry.values()) {
    const limited = definition.concurrency !== undefined || definition.rateLimit !== undefined;
    const queue = definition.queue ?? (shared && !limited ? shared : definition.name);
    byKind.set(definition.name, queue);
    queues.set(queue, [...(queues.get(queue) ?? []), definition]);
  }
  for (const [queue, kinds] of queues) {
    const limited = kinds.find(({ concurrency, rateLimit }) => concurrency ?? rateLimit);
    if (limited && kinds.length > 1) {
      const others = kinds.filter((kind) => kind !== limited).map(({ name }) => name);
      throw new RegistryError(
        `the job "${limited.name}" has a concurrency or rateLimit, which a queue has as a whole, but shares the queue "${queue}" with ${others.join(', ')}: give it a queue of its own`,
      );
    }
  }
  return {
    names: [...queues.keys()],
    of: (kind) => byKind.get(kind) ?? (shared || kind),
    kindsIn: (queue) => queues.get(queue) ?? [],
  };
}

/** BullMQ's side of the queues, by name; each is opened once, when it is first asked for. */
export type OpenQueue = (name: string) => Queue;
