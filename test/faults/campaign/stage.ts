import type { Random } from '../../support/random.js';
import type { CheckOptions } from './checker.js';
import type { GroundTruth } from './ground-truth.js';
import type { FaultRecord, Finding, ViewerRecord } from './records.js';
import type { Viewer } from './viewers.js';

/** What the cases of a campaign share. */
export interface Stage {
  url: string;
  truth: GroundTruth;
  random: Random;
  /** The faults so far; the present one has no end yet. */
  faults(): FaultRecord[];
  checkOptions(): CheckOptions;
  /** Resolves when the last fault is mended. */
  calm: Promise<void>;
  /** Aborted when everything had its time after the last fault. */
  overdue: AbortSignal;
  /** Faults of this campaign make Redis forget. */
  loses: boolean;
  /** Takes what the checker found, with the record that it was found in. */
  report(findings: Finding[], record: unknown): void;
  count(what: 'jobs' | 'viewers' | 'events', by?: number): void;
}

/** The name of the viewer that comes when all is over. */
export const FINAL = 'final';

/** The records of viewers that are through. */
export const recordsOf = (viewers: readonly Viewer[]): ViewerRecord[] => viewers.map(({ record }) => record);
