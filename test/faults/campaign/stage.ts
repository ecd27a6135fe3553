import type { Random } from '../../support/random.js';
import type { CheckOptions } from './checker.js';
import type { GroundTruth } from './ground-truth.js';
import type { Hooks } from './hooks.js';
import type { FaultRecord, Finding, ViewerRecord } from './records.js';
import type { Viewer } from './viewers.js';

/** The context that the cases of a campaign share. */
export interface Stage {
  url: string;
  truth: GroundTruth;
  hooks: Hooks;
  random: Random;
  /** The faults so far. The current one has no end yet. */
  faults(): FaultRecord[];
  checkOptions(): CheckOptions;
  /** Resolves when the last fault is over. */
  calm: Promise<void>;
  /** Aborted when time is up after the last fault. */
  overdue: AbortSignal;
  /** Whether faults of this campaign lose data. */
  loses: boolean;
  /** Time between two publications to a channel, in ms: minimum and maximum. */
  publishEveryMs: readonly [number, number];
  /** Receives the findings of the checker, with their record. */
  report(findings: Finding[], record: unknown): void;
  count(what: 'jobs' | 'viewers' | 'events', by?: number): void;
}

/** The name of the viewer that connects after the end. */
export const FINAL = 'final';

/** Returns the records of viewers that have ended. */
export const recordsOf = (viewers: readonly Viewer[]): ViewerRecord[] => viewers.map(({ record }) => record);
