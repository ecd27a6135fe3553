import type { JobsOptions } from 'bullmq';
import type { StoredSettings } from '../jobs/settings.js';

/** The timing of a schedule: `cron` or `everyMs`. */
export interface Timing {
  /** Five fields, or six with seconds first. */
  cron?: string;
  /** The IANA name of the time zone for `cron`. Defaults to UTC. */
  timeZone?: string;
  everyMs?: number;
  /** No run is due before this time (RFC 3339). */
  startAt?: string;
  /** No run is due after this time (RFC 3339). */
  endAt?: string;
  /** The start of the interval, ms since 1970. */
  firstAt: number;
}

/** A recurring job. BullMQ's job scheduler with the same id is kept in sync with it. */
export interface Schedule extends Timing {
  id: string;
  /** The kind of job to start. */
  name: string;
  /** The queue of BullMQ's job scheduler. */
  queue: string;
  /** The principal that created the schedule. */
  owner: string;
  /** The digest of the address from which it was made without a token. The schedules of an address count together. */
  origin?: string;
  /** The key that the owner has chosen. */
  key?: string;
  data: unknown;
  /** The options of the request. */
  options: Record<string, unknown>;
  /** BullMQ's options for each run: the options merged with the defaults of the kind. */
  template: JobsOptions & { headway: StoredSettings };
  /** The maximum number of runs. */
  limit?: number;
  paused: boolean;
  /** The time of deletion. The schedule is kept for a while, so that a process with the previous version cannot restore it. */
  deletedAt?: number;
  createdAt: number;
  updatedAt: number;
  /** The number of the current version. */
  version: number;
  /** The version in which the timing was last changed. */
  timedIn: number;
}
