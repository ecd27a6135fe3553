// Code that the jobs of the campaign share. A job writes each report to its own file before it makes the report, so
// there is a record that does not depend on Headway.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobContext } from 'headway';
import type { z } from 'zod';
import type { plan } from './plan-schema.js';

type Plan = z.output<typeof plan>;
type Kind = 'log' | 'event' | 'partial';

export interface PlanOptions {
  /** The names of the job's stages, which share its rounds. */
  stages?: string[];
  /** Starts the children; their progress is the job's. */
  children?: () => Promise<unknown>[];
}

const ON_PURPOSE = 'it was to fail';

/** How often the job has thrown so far, in any process. */
function throwsSoFar(path: string): number {
  try {
    return readFileSync(path, 'utf8').split('"what":"throw"').length - 1;
  } catch {
    return 0;
  }
}

/** Runs a plan: rounds of log lines, custom events, chunks and progress, with pauses. Throws in the first `fails` runs. */
export async function runPlan(
  data: Plan,
  ctx: JobContext,
  { stages, children: startChildren }: PlanOptions = {},
) {
  const { rounds, each, pauseMs, pad, fails, text } = data;
  // One file for each job, with the lines of all its attempts.
  const path = join(process.env.CAMPAIGN_TRUTH!, `${encodeURIComponent(ctx.jobId)}.ndjson`);
  const earlier = throwsSoFar(path);
  const file = openSync(path, 'a');
  const run = randomBytes(6).toString('hex');
  const counts = { log: 0, event: 0, partial: 0, progress: 0 };
  const write = (line: Record<string, unknown>): void => {
    writeSync(file, `${JSON.stringify({ ...line, run, attempt: ctx.attempt, at: Date.now() })}\n`);
  };
  const next = (what: Kind | 'progress'): number => {
    counts[what]++;
    write({ what, n: counts[what] });
    return counts[what];
  };
  const padding = 'x'.repeat(pad);
  const report: Record<Kind, (n: number) => Promise<void>> = {
    log: (n) => ctx.log('info', `line ${n}`, { run, n }),
    event: (n) => ctx.emit('said', { run, n, length: pad, pad: padding }),
    partial: (n) =>
      ctx.partial(text ? `[${run}:${n}:${pad}]${padding}` : { run, n, length: pad, pad: padding }),
  };
  const perStage = Math.ceil(rounds / (stages?.length ?? 1));
  try {
    write({ what: 'start', n: 0, label: data.label, ...(data.parent ? { parent: data.parent } : {}) });
    const children = startChildren?.() ?? [];
    // A child that fails is noticed below; until then its rejection must not count as unhandled.
    for (const child of children) child.catch(() => {});
    for (let round = 1; round <= rounds; round++) {
      if (stages && (round - 1) % perStage === 0) {
        write({ what: 'stage', n: round });
        ctx.stage(stages[Math.floor((round - 1) / perStage)]!);
      }
      for (const kind of ['log', 'event', 'partial'] as const) {
        for (let i = 0; i < each[kind]; i++) {
          ctx.signal.throwIfAborted();
          await report[kind](next(kind));
        }
      }
      if (!startChildren) {
        ctx.signal.throwIfAborted();
        const n = next('progress');
        const current = ((round - 1) % perStage) + 1;
        await ctx.progress({ current, total: perStage, message: `${run}:${n}` });
      }
      if (earlier < fails && round >= rounds / 2) {
        write({ what: 'throw', n: 0 });
        throw new Error(ON_PURPOSE);
      }
      await sleep(pauseMs, undefined, { signal: ctx.signal });
    }
    await Promise.all(children);
    ctx.signal.throwIfAborted();
    write({ what: 'return', n: 0 });
    return { run };
  } catch (error) {
    if (ctx.signal.aborted) write({ what: 'stop', n: 0, why: ctx.signal.reason?.why });
    else if ((error as Error).message !== ON_PURPOSE) write({ what: 'throw', n: 0, why: String(error) });
    throw ctx.signal.aborted ? ctx.signal.reason : error;
  } finally {
    closeSync(file);
  }
}
