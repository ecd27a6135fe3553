import type { ProgressUpdate } from '../../shared/jobs/definition.js';
import type { ProgressData } from '../../shared/jobs/events/progress.js';
import { Rate } from './rate.js';
import { isWeight } from './roll-up.js';

export interface ProgressOptions {
  jobId: string;
  attempt: number;
  /** Stages in order, each with its weight. */
  stages?: Record<string, number> | undefined;
}

export type { ProgressData };

const MAX_MESSAGE = 500;
const MAX_STAGES = 1000;
const MAX_STAGE_NAME = 100;
const NUMBERS = ['current', 'total', 'percent'] as const;

/** The progress of one attempt: turns the reports of a job into what viewers see, without the remaining time. */
export interface Progress {
  /** Applies an update. Invalid numbers are ignored; `warning` says so the first time. */
  update(update: ProgressUpdate | number, now: number): { changed: boolean; warning?: string };
  /**
   * Enters a stage. An undeclared stage is added after the others. `weight` defaults to 1.
   * @throws RangeError if the name or the weight is invalid, or there are too many stages
   */
  stage(name: string, now: number, weight?: number): void;
  snapshot(now: number): ProgressData;
}

export function createProgress({ jobId, attempt, stages }: ProgressOptions): Progress {
  const stageNames = Object.keys(stages ?? {});
  const weights = Object.values(stages ?? {});
  let weightSum = sumOf(weights);
  let stageIndex = -1;
  /** Sum of the weights of the stages before the current one. */
  let before = 0;
  /** Progress of the current stage, 0 to 1. */
  let fraction: number | undefined;
  /** The highest overall percentage so far: progress never goes backwards. */
  let percent: number | null = null;
  let current: number | undefined;
  let total: number | undefined;
  let unit: string | undefined;
  let message: string | undefined;
  let counted = new Rate();
  const warned = new Set<string>();

  function warnOnce(kind: string, text: string): string | undefined {
    if (warned.has(kind)) return undefined;
    warned.add(kind);
    return text;
  }

  function advance(now: number): void {
    const weight = stageIndex >= 0 ? weights[stageIndex] : undefined;
    const done = weight === undefined ? fraction : (before + weight * (fraction ?? 0)) / weightSum;
    if (done !== undefined) {
      percent = Math.max(percent ?? 0, Math.min(done, 1) * 100);
    }
    if (current !== undefined) counted.add(current, now);
  }

  return {
    update(input, now) {
      const update: ProgressUpdate = typeof input === 'number' ? { percent: input } : input;
      if (update === null || typeof update !== 'object') {
        const warning = warnOnce('type', 'progress(): expected a number or an object; the update is ignored');
        return { changed: false, ...(warning ? { warning } : {}) };
      }
      let warning: string | undefined;
      const value: { current?: number; total?: number; percent?: number } = {};
      for (const key of NUMBERS) {
        const number = update[key];
        if (number === undefined) continue;
        if (typeof number === 'number' && number >= 0 && number <= Number.MAX_SAFE_INTEGER)
          value[key] = number;
        else
          warning ??= warnOnce(
            key,
            `progress(): ${key} must be a finite number of 0 or more, not ${String(number)}; the value is ignored`,
          );
      }
      if (value.total !== undefined) total = value.total;
      if (value.current !== undefined) current = Math.max(current ?? 0, value.current);
      if (current !== undefined && total !== undefined && current > total) current = total;
      if (value.percent !== undefined) fraction = Math.max(fraction ?? 0, Math.min(value.percent, 100) / 100);
      // 0 of 0 counts as complete.
      else if (current !== undefined && total !== undefined)
        fraction = Math.max(fraction ?? 0, total === 0 ? 1 : current / total);
      if (typeof update.unit === 'string') unit = update.unit.slice(0, 40);
      if (typeof update.message === 'string') message = update.message.slice(0, MAX_MESSAGE);
      advance(now);
      const changed =
        Object.keys(value).length > 0 || update.unit !== undefined || update.message !== undefined;
      return { changed, ...(warning ? { warning } : {}) };
    },
    stage(name, now, weight = 1) {
      let index = stageNames.indexOf(name);
      if (index < 0) {
        checkStage(name, weight, stageNames.length);
        index = stageNames.push(name) - 1;
        weights.push(weight);
        weightSum += weight;
      }
      if (index === stageIndex) return;
      stageIndex = index;
      before = sumOf(weights.slice(0, index));
      fraction = current = total = unit = message = undefined;
      counted = new Rate();
      advance(now);
    },
    snapshot(now) {
      const ratePerSecond = counted.perSecond();
      const stage = stageNames[stageIndex];
      const data: Omit<ProgressData, 'at'> = {
        jobId,
        attempt,
        percent: percent === null ? null : Math.round(percent * 100) / 100,
      };
      if (current !== undefined) data.current = current;
      if (total !== undefined) data.total = total;
      if (unit !== undefined) data.unit = unit;
      if (stage !== undefined) {
        data.stage = stage;
        data.stageIndex = stageIndex + 1;
        data.stageCount = stageNames.length;
      }
      if (message !== undefined) data.message = message;
      if (ratePerSecond !== undefined) data.ratePerSecond = rounded(ratePerSecond);
      return { ...data, at: now };
    },
  };
}

/** Rounds to one decimal place, or to two significant digits below 1. */
const rounded = (rate: number): number =>
  rate >= 1 ? Math.round(rate * 10) / 10 : Number(rate.toPrecision(2));
const sumOf = (numbers: number[]): number => numbers.reduce((sum, number) => sum + number, 0);

function checkStage(name: string, weight: number, stages: number): void {
  if (typeof name !== 'string' || name === '' || name.length > MAX_STAGE_NAME) {
    throw new RangeError(`the name of a stage must have 1 to ${MAX_STAGE_NAME} characters`);
  }
  if (!isWeight(weight)) {
    throw new RangeError(
      `the weight of the stage "${name}" must be a positive number, not ${String(weight)}`,
    );
  }
  if (stages >= MAX_STAGES) {
    throw new RangeError(`more than ${MAX_STAGES} stages; use counts (ctx.progress) or children instead`);
  }
}
