// What the jobs of the campaign have in common. A job writes each thing that it says to a file of its own before it
// says it, so that there is a truth which no part of Headway has touched.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The file with what a job said: one for each job, with the lines of all its attempts. */
export const truthFile = (folder, jobId) => join(folder, `${encodeURIComponent(jobId)}.ndjson`);

/** How often the job has thrown so far, in whichever process. */
function throwsSoFar(path) {
  try {
    return readFileSync(path, 'utf8').split('"what":"throw"').length - 1;
  } catch {
    return 0;
  }
}

/**
 * Runs a plan: rounds of log lines, custom events, chunks and progress, with pauses. Throws in the first `fails` runs.
 * @param data.each how many of each kind a round says; `awaits` says whether promises of `ctx` are awaited
 */
export async function runPlan(data, ctx, more = {}) {
  const { rounds, each, pauseMs, pad = 0, fails = 0, text = false, stages } = data;
  const folder = process.env.CAMPAIGN_TRUTH;
  const path = truthFile(folder, ctx.jobId);
  const earlier = throwsSoFar(path);
  const file = openSync(path, 'a');
  const run = randomBytes(6).toString('hex');
  const counts = { log: 0, event: 0, partial: 0, progress: 0 };
  const write = (line) =>
    writeSync(file, `${JSON.stringify({ ...line, run, attempt: ctx.attempt, at: Date.now() })}\n`);
  const next = (what) => {
    counts[what]++;
    write({ what, n: counts[what] });
    return counts[what];
  };
  const padding = 'x'.repeat(pad);
  const say = {
    log: (n) => ctx.log('info', `line ${n}`, { run, n }),
    event: (n) => ctx.emit('said', { run, n, length: pad, pad: padding }),
    partial: (n) =>
      ctx.partial(text ? `[${run}:${n}:${pad}]${padding}` : { run, n, length: pad, pad: padding }),
  };
  const total = rounds;
  try {
    write({ what: 'start', n: 0, label: data.label, ...(data.parent ? { parent: data.parent } : {}) });
    const children = more.children?.(run) ?? [];
    // A child that fails is noticed below; until then it must not count as unhandled.
    for (const child of children) child.catch(() => {});
    for (let round = 1; round <= rounds; round++) {
      if (stages && (round - 1) % Math.ceil(rounds / stages.length) === 0) {
        const stage = stages[Math.floor((round - 1) / Math.ceil(rounds / stages.length))];
        write({ what: 'stage', n: round });
        await ctx.stage(stage);
      }
      for (const kind of ['log', 'event', 'partial']) {
        for (let i = 0; i < (each[kind] ?? 0); i++) {
          ctx.signal.throwIfAborted();
          const said = say[kind](next(kind));
          if (said instanceof Promise) await said;
        }
      }
      if (!more.children) {
        ctx.signal.throwIfAborted();
        const n = next('progress');
        const inStage = stages ? Math.ceil(rounds / stages.length) : total;
        const current = stages ? ((round - 1) % inStage) + 1 : round;
        const said = ctx.progress({ current, total: inStage, message: `${run}:${n}` });
        if (said instanceof Promise) await said;
      }
      if (earlier < fails && round >= rounds / 2) {
        write({ what: 'throw', n: 0 });
        throw new Error('it was to fail');
      }
      await sleep(pauseMs, undefined, { signal: ctx.signal });
    }
    await Promise.all(children);
    ctx.signal.throwIfAborted();
    write({ what: 'return', n: 0 });
    return { run };
  } catch (error) {
    if (ctx.signal.aborted) write({ what: 'stop', n: 0, why: ctx.signal.reason?.why });
    else if (error.message !== 'it was to fail') {
      write({ what: 'throw', n: 0, why: String(error) });
    }
    throw ctx.signal.aborted ? ctx.signal.reason : error;
  } finally {
    closeSync(file);
  }
}
