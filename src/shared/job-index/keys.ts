import { createHash } from 'node:crypto';
import type { JobState } from '../jobs/states.js';

/**
 * The Redis keys of the index. They share BullMQ's hash tag, so that one script reads a job and indexes it, and begin
 * as no key of BullMQ's does: after the tag comes a dot.
 */
export interface IndexKeys {
  /** A hash: id -> record. */
  records: string;
  /** A sorted set: when each finished job has to go. */
  due: string;
  /** A hash: what of removed jobs is still to be removed outside of the slot. */
  leftovers: string;
  /** How the keys of the sets by state begin. */
  sets: string;
  /** A sorted set: which job names which file. */
  files: string;
  /** A string: when the files of all jobs in the index were noted for the first time, ms since 1970. */
  filesHeld: string;
  /** What is remembered of a job that is gone. */
  gone(jobId: string): string;
}

/** @param queuePrefix the prefix of BullMQ's keys, with braces */
export const indexKeys = (queuePrefix: string): IndexKeys => ({
  records: `${queuePrefix}.index`,
  due: `${queuePrefix}.due`,
  leftovers: `${queuePrefix}.leftovers`,
  sets: `${queuePrefix}.index`,
  files: `${queuePrefix}.index:files`,
  filesHeld: `${queuePrefix}.files-held`,
  gone: (jobId) => `${queuePrefix}.gone:${jobId}`,
});

/** Which jobs are wanted. Of a list, any one; an empty list asks for nothing. */
export interface JobFilter {
  /** Whose; without, everybody's. */
  owner?: string | undefined;
  states: readonly JobState[];
  names: readonly string[];
  tags: readonly string[];
}

/** Everybody's jobs, or one owner's, as a part of a key. */
export const scopeOf = (owner: string | undefined): string =>
  owner === undefined ? 'all' : createHash('sha1').update(owner).digest('hex');

/**
 * The sets in which the wanted jobs are: by name and by tag, where those are asked for. A job that is wanted is in one of
 * each. Without names and tags the sets of the states are in the place of those of the names.
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
