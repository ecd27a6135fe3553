import { parseForeign } from '../jobs/foreign-json.js';
import type { Keyspace } from '../keyspace.js';

/** What is kept of an earlier run of a kind, for estimates. */
export interface PastRun {
  /** How long it took, in ms. */
  ms: number;
  /** Its size: the first `total` that it reported. */
  total?: number | undefined;
  /** The share of its time after which it left 0 %, and after which it reached each of `MARKS`. Empty without a percentage. */
  marks: number[];
}

/** Percentages whose times are kept. There are more at the beginning, where an estimate multiplies a small error. */
export const MARKS = [1, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100];

/** How many runs are kept of each kind. */
export const KEPT_RUNS = 32;
/** How much a run counts, compared with the next one: a new release may have changed how long a kind takes. */
export const FADING = 0.93;

/** Returns the key of the list with the newest runs of a kind, newest first. */
export const runsKey = ({ prefix }: Keyspace, kind: string): string => `${prefix}:{runs}:${kind}`;

/** Marks are stored in thousandths. */
const PARTS = 1000;

/** Returns a run as it is stored: `[ms, total or 0, mark, …]`. */
export const packRun = ({ ms, total = 0, marks }: PastRun): string =>
  JSON.stringify([Math.ceil(ms), total, ...marks.map((mark) => Math.round(mark * PARTS))]);

/** Parses a stored run; `undefined` for anything that Headway did not write. */
export function parseRun(text: string): PastRun | undefined {
  const numbers = parseForeign(text);
  if (!Array.isArray(numbers) || !numbers.every((value) => Number.isFinite(value) && value >= 0)) {
    return undefined;
  }
  const [ms = 0, total = 0, ...parts] = numbers as number[];
  const isPace = parts.every((part, i) => part <= PARTS && part >= (parts[i - 1] ?? 0));
  const isWhole = parts.length === 0 || parts.length === MARKS.length + 1;
  if (ms === 0 || !isPace || !isWhole) return undefined;
  return { ms, ...(total > 0 ? { total } : {}), marks: parts.map((part) => part / PARTS) };
}
