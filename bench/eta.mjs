// A thousand varied runs, replayed in virtual time: how far the remaining time that a viewer sees is from the real one. The
// peer is the estimate before it learned from earlier runs: a moving average of the run's own speed. A run knows only the
// runs of its kind before it. `SEED=7 npm run bench -- eta` replays other runs.
//
// And as many waiting jobs: how far the time until they begin that a viewer sees is from the real one. The peer is the rule
// before it knew the earlier runs: how fast the job has moved up since somebody watches.
import { QueuePace } from '../dist/api/queue-positions/pace.js';
import { usualPaceOf } from '../dist/api/queue-positions/usual-pace.js';
import { KEPT_RUNS } from '../dist/shared/estimates/past-runs.js';
import { Estimator } from '../dist/worker/estimates/estimator.js';
import { createForecast } from '../dist/worker/estimates/forecast.js';
import { RunRecord } from '../dist/worker/estimates/run-record.js';
import { Rate } from '../dist/worker/reporting/rate.js';
import { row } from './lib/goals.mjs';
import { scaled } from './lib/sizes.mjs';
import { printTable } from './lib/table.mjs';
import { variedRuns } from './lib/varied-runs.mjs';
import { waitingJobs } from './lib/waiting-jobs.mjs';

const RUNS = scaled(1000);
const SEED = Number(process.env.SEED || 1);
/** The shares of a run's or a wait's time at which the estimates are compared. */
const SHARES = [0.1, 0.5, 0.9];
/** How often a process looks at a queue, in ms. */
const LOOK_MS = 1000;

/** The moving average: the time that the rest takes at the recent speed. */
function createAverage() {
  const rate = new Rate();
  return ({ percent, ms }) => {
    rate.add(percent, ms);
    const speed = rate.perSecond();
    return speed ? (1000 * (100 - percent)) / speed : undefined;
  };
}

function createLearned(earlier, total) {
  const estimator = new Estimator(createForecast(earlier));
  return ({ percent, ms }) => {
    estimator.add(percent, total, ms);
    return estimator.left(ms);
  };
}

/**
 * Returns the error of what a viewer sees at each of `SHARES`, as a share of the run's time; `undefined` where nothing is
 * shown. Between two reports, a viewer counts the last estimate down, and shows nothing once it has passed.
 */
function errorsOf({ ms, reports }, estimate) {
  const shown = reports.map((report) => ({ at: report.ms, left: estimate(report) }));
  return SHARES.map((share) => {
    const now = share * ms;
    const last = shown.findLast(({ at }) => at <= now);
    const left = last?.left === undefined ? 0 : last.left - (now - last.at);
    return left > 0 ? Math.abs(left - (ms - now)) / ms : undefined;
  });
}

/** Returns the error of the estimate before the first report; `undefined` if there is none. */
function errorBefore({ ms }, earlier) {
  const left = createForecast(earlier).leftOfSilent(0, undefined);
  return left === undefined ? undefined : Math.abs(left - ms) / ms;
}

function recordOf({ ms, total, reports }) {
  const record = new RunRecord();
  for (const report of reports) record.add(report.percent, total, report.ms);
  return record.end(ms);
}

/** Returns the errors of the shown time until a job begins, at first and at each of `SHARES`, as a share of its whole wait. */
function beginErrors({ slots, earlier, taken }, knowsRuns) {
  const wait = taken.at(-1);
  const usual = knowsRuns ? usualPaceOf(earlier, slots) : undefined;
  const pace = new QueuePace();
  const errors = [];
  for (let now = 0; now < wait; now += LOOK_MS) {
    const position = { before: taken.filter((at) => at > now).length - 1, prioritized: false };
    pace.add(new Map([['job', position]]), now);
    const shown = pace.beginsIn(position, usual);
    errors.push(shown === undefined ? undefined : Math.abs(shown - (wait - now)) / wait);
  }
  return [0, ...SHARES].map(
    (share) => errors[Math.min(errors.length - 1, Math.ceil((share * wait) / LOOK_MS))],
  );
}

/** Returns rows that compare the times until waiting jobs begin. */
function beginRows() {
  const jobs = waitingJobs(RUNS, SEED, KEPT_RUNS).map((job) => ({
    moved: beginErrors(job, false),
    learned: beginErrors(job, true),
  }));
  const shown = (how, i) => (100 * jobs.filter((job) => job[how][i] !== undefined).length) / jobs.length;
  return [
    row('time until a job begins, error at first', {
      headway: 100 * mean(known(jobs.map(({ learned }) => learned[0]))),
      unit: '%',
    }),
    ...SHARES.flatMap((share, i) => {
      const both = jobs.filter(
        ({ moved, learned }) => moved[i + 1] !== undefined && learned[i + 1] !== undefined,
      );
      const of = (how) => 100 * mean(both.map((job) => job[how][i + 1]));
      return [
        row(`time until a job begins, error at ${100 * share} % of the wait`, {
          peer: of('moved'),
          headway: of('learned'),
          unit: '%',
          atMost: 1,
        }),
        row(`waiting jobs with an estimate at ${100 * share} %`, {
          peer: shown('moved', i + 1),
          headway: shown('learned', i + 1),
          unit: '%',
        }),
      ];
    }),
  ];
}

const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
const percent = (numbers) => (numbers.length === 0 ? '–' : `${(100 * mean(numbers)).toFixed(0)} %`);
const known = (numbers) => numbers.filter((number) => number !== undefined);

export async function eta() {
  console.log(
    `\neta: ${RUNS} runs of twelve kinds, seed ${SEED}; mean absolute error in percent of a run's time`,
  );
  const earlier = new Map();
  const results = variedRuns(RUNS, SEED).map((run) => {
    const before = earlier.get(run.kind) ?? [];
    earlier.set(run.kind, [recordOf(run), ...before].slice(0, KEPT_RUNS));
    return {
      kind: run.kind,
      silent: errorBefore(run, before),
      average: errorsOf(run, createAverage()),
      learned: errorsOf(run, createLearned(before, run.total)),
    };
  });
  const kinds = [...new Set(results.map(({ kind }) => kind))];
  const cells = (name, some) => {
    const at = (how, i) => percent(known(some.map((result) => result[how][i])));
    const silent = percent(known(some.map((result) => result.silent)));
    return [name, silent, ...SHARES.map((_, i) => `${at('average', i)} → ${at('learned', i)}`)];
  };
  printTable([
    ['kind', 'before the first report', ...SHARES.map((share) => `at ${100 * share} %`)],
    ...kinds.map((kind) =>
      cells(
        kind,
        results.filter((result) => result.kind === kind),
      ),
    ),
    // The mean of the moving average is mostly that of this kind, which begins slowly.
    cells(
      'all but quickening',
      results.filter(({ kind }) => kind !== 'quickening'),
    ),
  ]);
  const shownShare = (errors) => (100 * known(errors).length) / results.length;
  const silent = results.map((result) => result.silent);
  return [
    row('remaining time, error before the first report', { headway: 100 * mean(known(silent)), unit: '%' }),
    row('runs with an estimate before the first report', { headway: shownShare(silent), unit: '%' }),
    ...SHARES.flatMap((share, i) => {
      // Where one of the two shows nothing, there is nothing to compare.
      const both = results.filter(
        ({ average, learned }) => average[i] !== undefined && learned[i] !== undefined,
      );
      const of = (name) => 100 * mean(both.map((result) => result[name][i]));
      const shown = (name) => shownShare(results.map((result) => result[name][i]));
      return [
        row(`remaining time, error at ${100 * share} % of a run`, {
          peer: of('average'),
          headway: of('learned'),
          unit: '%',
          atMost: 1,
        }),
        row(`runs with an estimate at ${100 * share} %`, {
          peer: shown('average'),
          headway: shown('learned'),
          unit: '%',
        }),
      ];
    }),
    ...beginRows(),
  ];
}
