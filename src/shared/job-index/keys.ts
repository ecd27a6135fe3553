import { createHash } from 'node:crypto';
import type { JobAddress } from '../jobs/queues.js';
import type { JobState } from '../jobs/states.js';
import type { Keyspace } from '../keyspace.js';
import { shardOf } from '../shards.js';

/**
 * The Redis keys of the index of a shard. They have BullMQ's hash tag, so that one script can read a job and index it. After
 * the tag comes a dot, which no key of BullMQ has there.
 */
export interface IndexKeys {
  /** A hash: id -> record. */
  records: string;
  /** A sorted set: finished jobs by the time at which they are removed. */
  due: string;
  /** A hash: for each removed job, what still has to be removed outside of this slot. */
  leftovers: string;
  /** The prefix of the sets by state. */
  sets: string;
  /** A sorted set: the files that jobs use. */
  files: string;
  /** A string: when the files of all indexed jobs were first recorded, ms since 1970. */
  filesHeld: string;
  /** A string: the tombstone of a removed job. */
  gone(jobId: string): string;
}

export function indexKeys(keyspace: Keyspace, shard = 0): IndexKeys {
  const prefix = keyspace.prefixOf(shard);
  return {
    records: `${prefix}.index`,
    due: `${prefix}.due`,
    leftovers: `${prefix}.leftovers`,
    sets: `${prefix}.index`,
    files: `${prefix}.index:files`,
    filesHeld: `${prefix}.files-held`,
    gone: (jobId) => `${prefix}.gone:${jobId}`,
  };
}

/** Returns a function that returns the index keys of a shard, and makes them once. */
export function indexKeysByShard(keyspace: Keyspace): (shard: number) => IndexKeys {
  const known: IndexKeys[] = [];
  return (shard) => {
    known[shard] ??= indexKeys(keyspace, shard);
    return known[shard];
  };
}

/** A filter for jobs. A job matches a list if it matches any entry; an empty list matches all jobs. */
export interface JobFilter {
  /** The owner; `undefined` for all owners. */
  owner?: string | undefined;
  states: readonly JobState[];
  names: readonly string[];
  tags: readonly string[];
}

/** Returns the part of a key that stands for an owner, or for all owners. */
export const scopeOf = (owner: string | undefined): string =>
  owner === undefined ? 'all' : createHash('sha1').update(owner).digest('hex');

/**
 * Returns the sets that contain the matching jobs: the sets by name and the sets by tag, if the filter has any. A matching
 * job is in at least one set of each group. Without names and tags, `byName` has the sets by state alone.
 */
export function setsFor(
  sets: string,
  { owner, states, names, tags }: JobFilter,
): { byName: string[]; byTag: string[] } {
  const scope = scopeOf(owner);
  const withFacets = (facets: string[]): string[] => [
    ...new Set(states.flatMap((state) => facets.map((facet) => `${sets}:${scope}:${state}${facet}`))),
  ];
  const all = names.length === 0 && tags.length === 0;
  return {
    byName: withFacets(all ? [''] : names.map((name) => `:name:${name}`)),
    byTag: withFacets(tags.map((tag) => `:tag:${tag}`)),
  };
}

/** Groups entries by the shard of their jobs. */
export function byShard<T extends { address: JobAddress }>(entries: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const entry of entries) {
    const shard = shardOf(entry.address.queue);
    const group = groups.get(shard);
    if (group) group.push(entry);
    else groups.set(shard, [entry]);
  }
  return groups;
}
