/** Who reported, and when (ms since 1970). */
export interface ForeignReporter {
  jobId: string;
  attempt: number;
  at: number;
}

const MAX_TEXT = 500;
const TEXTS = ['unit', 'stage', 'message'] as const;
const NUMBERS = ['current', 'total', 'stageIndex', 'stageCount', 'ratePerSecond', 'etaMs'] as const;

/**
 * Makes the data of a `progress` event of whatever a worker that knows nothing of Headway gave to BullMQ's
 * `updateProgress`: a number is a percent; text is a percent if it is a number, else the message; of an object the
 * fields that have our names are kept and the others dropped. Its percent is `percent`, or `progress` (a share when
 * it is less than 1), or made of `current` and `total`.
 * @param before the percent that viewers have seen in this attempt: the bar never goes back
 */
export function foreignProgress(
  value: unknown,
  { jobId, attempt, at }: ForeignReporter,
  before: number | null = null,
): Record<string, unknown> & { percent: number | null } {
  const fields = isRecord(value) ? value : {};
  const said = isRecord(value) ? percentOf(fields) : toPercent(value);
  const back = said !== null && before !== null && said < before;
  const data: Record<string, unknown> & { percent: number | null } = {
    jobId,
    attempt,
    percent: back || said === null ? before : said,
  };
  for (const key of NUMBERS) {
    const number = fields[key];
    // What is counted would contradict a bar that stays where it was.
    if (isCount(number) && !(back && (key === 'current' || key === 'total'))) data[key] = number;
  }
  if (typeof value === 'string' && said === null && value) data.message = value.slice(0, MAX_TEXT);
  for (const key of TEXTS) {
    const text = fields[key];
    if (typeof text === 'string' && text) data[key] = text.slice(0, MAX_TEXT);
  }
  data.at = at;
  return data;
}

/** Whether it is our own worker that reports, which publishes by itself. */
export function isHeadwayProgress(
  value: unknown,
  jobId: string,
): value is { jobId: string; attempt: number } {
  return isRecord(value) && value.jobId === jobId && typeof value.attempt === 'number';
}

function percentOf({ percent, progress, current, total }: Record<string, unknown>): number | null {
  const said = toPercent(percent);
  if (said !== null) return said;
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
