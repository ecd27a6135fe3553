/** The origin of a report. */
export interface ForeignReporter {
  jobId: string;
  attempt: number;
  /** The time of the report, ms since 1970. */
  at: number;
}

const MAX_TEXT = 500;
const TEXTS = ['unit', 'stage', 'message'] as const;
const NUMBERS = ['current', 'total', 'stageIndex', 'stageCount', 'ratePerSecond', 'etaMs'] as const;

/**
 * Creates the data of a `progress` event from the argument of BullMQ's `updateProgress`, for a worker that knows only
 * BullMQ. A number is a percentage. Text is a percentage if it is a number, else the message. An object keeps the fields of
 * a `progress` event; its percentage is `percent`, or `progress` (a fraction if less than 1), or computed from `current`
 * and `total`.
 * @param before the newest published percentage of this attempt; the percentage never decreases
 */
export function foreignProgress(
  value: unknown,
  { jobId, attempt, at }: ForeignReporter,
  before: number | null = null,
): Record<string, unknown> & { percent: number | null } {
  const fields = isRecord(value) ? value : {};
  const reported = isRecord(value) ? percentOf(fields) : toPercent(value);
  const decreases = reported !== null && before !== null && reported < before;
  const data: Record<string, unknown> & { percent: number | null } = {
    jobId,
    attempt,
    percent: decreases || reported === null ? before : reported,
  };
  for (const key of NUMBERS) {
    const number = fields[key];
    // Counts would contradict a percentage that is held back.
    if (isCount(number) && !(decreases && (key === 'current' || key === 'total'))) data[key] = number;
  }
  if (typeof value === 'string' && reported === null && value) data.message = value.slice(0, MAX_TEXT);
  for (const key of TEXTS) {
    const text = fields[key];
    if (typeof text === 'string' && text) data[key] = text.slice(0, MAX_TEXT);
  }
  data.at = at;
  return data;
}

/** Whether a value in BullMQ is progress of one of our workers, which publish it themselves. */
export function isHeadwayProgress(
  value: unknown,
  jobId: string,
): value is { jobId: string; attempt: number } {
  return isRecord(value) && value.jobId === jobId && typeof value.attempt === 'number';
}

function percentOf({ percent, progress, current, total }: Record<string, unknown>): number | null {
  const given = toPercent(percent);
  if (given !== null) return given;
  if (isCount(progress)) return toPercent(progress < 1 ? progress * 100 : progress);
  if (isCount(current) && isCount(total)) return total === 0 ? 100 : toPercent((current / total) * 100);
  return null;
}

function toPercent(value: unknown): number | null {
  const number = typeof value === 'string' ? numberIn(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.round(Math.min(Math.max(number, 0), 100) * 100) / 100;
}

const numberIn = (text: string): number | undefined => {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*%?\s*$/.exec(text);
  return match ? Number(match[1]) : undefined;
};

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
