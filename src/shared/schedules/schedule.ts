import type { JobsOptions } from 'bullmq';
import type { StoredSettings } from '../jobs/settings.js';

/** When a schedule is due: by `cron`, or every `everyMs`. */
export interface Timing {
  /** Five fields, or six with seconds first. */
  cron?: string;
  /** IANA name of the zone in which `cron` is meant. */
  timeZone?: string;
  everyMs?: number;
  /** RFC 3339: nothing is due before. */
  startAt?: string;
  /** RFC 3339: nothing is due after. */
  endAt?: string;
  /** The interval counts from here (ms since 1970). */
  firstAt: number;
}

/** A recurring job. It is what we keep; BullMQ's job scheduler of the same id is made to agree with it. */
export interface Schedule extends Timing {
  id: string;
  /** The kind of job that it starts. */
  name: string;
  /** Where BullMQ's scheduler is. */
  queue: string;
  /** The principal that made it. */
  owner: string;
  /** By which its owner knows it. */
  key?: string;
  data: unknown;
  /** As the caller gave them. */
  options: Record<string, unknown>;
  /** What BullMQ is told of each run: the options joined with the defaults of the kind. */
  template: JobsOptions & { headway: StoredSettings };
  /** Runs at most. */
  limit?: number;
  paused: boolean;
  /** Gone for everybody; kept for a while so that nobody who still has the last version brings it back. */
  deletedAt?: number;
  createdAt: number;
  updatedAt: number;
  /** Counts its changes. */
  version: number;
  /** The version in which it was last decided when it is due. */
  timedIn: number;
}
