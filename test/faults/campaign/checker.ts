import { checkItems, type Run, runsOf } from './check-items.js';
import { checkLifecycle } from './check-lifecycle.js';
import type { FaultRecord, Finding, JobRecord, Seen, ViewerRecord } from './records.js';
import { isEnd, segmentsOf } from './segments.js';
import { isLost, type LossWindow, lossWindows, mayLoseLock, mayReset, overlaps } from './windows.js';

export interface CheckOptions {
  faults: readonly FaultRecord[];
  /** How long a lock is held, in ms. */
  lockMs: number;
  /** The name of the viewer that connected after the end, and so received what Redis has. */
  finalViewer?: string;
}

/** Time that a viewer may need to notice a loss, in ms. */
const NOTICE_MS = 500;

/** Compares the events that the viewers of a job got with the job's own record. */
export function checkJob(job: JobRecord, options: CheckOptions): Finding[] {
  const windows = lossWindows(options.faults);
  const runs = runsOf(job.said);
  const findings = checkOutcome(job, runs, windows);
  // Redis lost the start of the job.
  if (job.state === 'gone') return findings;
  const final = job.viewers.find(({ name }) => name === options.finalViewer);
  for (const viewer of job.viewers) {
    findings.push(...checkViewer(job, viewer, runs, options, windows));
    if (final && final !== viewer && windows.length > 0 && !leftBefore(viewer, windows)) {
      findings.push(...checkAgainst(final, viewer, job.id));
    }
  }
  return findings;
}

/** Checks that the job's end fits its runs. */
function checkOutcome(
  job: JobRecord,
  runs: ReadonlyMap<string, Run>,
  windows: readonly LossWindow[],
): Finding[] {
  const findings: Finding[] = [];
  const at = Math.max(job.acceptedAt, ...job.said.map((line) => line.at));
  const find = (kind: string, text: string): void => void findings.push({ kind, subject: job.id, text, at });
  const endings = [...runs.values()].map(({ ending }) => ending);
  if (job.state === 'gone') {
    if (!isLost(job.acceptedAt, windows)) find('lost-job', 'accepted, but there is no such job');
    return findings;
  }
  for (const ending of endings) {
    if (ending?.what === 'throw' && ending.why !== undefined && job.state !== 'cancelled') {
      findings.push({
        kind: 'refused-call',
        subject: job.id,
        text: `a call of ctx threw in attempt ${ending.attempt}: ${ending.why}`,
        at: ending.at,
      });
    }
  }
  const throws = endings.filter((ending) => ending?.what === 'throw').length;
  const returned = endings.some((ending) => ending?.what === 'return');
  if (!isEnd(job.state)) {
    find('unfinished', `accepted, but still ${job.state} long after the last fault`);
  } else if (job.state === 'failed' && throws < job.attempts) {
    find('wrongly-failed', `failed with ${job.attempts} attempts, ${throws} of which threw`);
  } else if (job.state === 'completed' && !returned) {
    find('wrongly-completed', 'completed, but no run returned');
  } else if (job.state === 'cancelled' && job.cancelledAt === undefined && !job.isChild) {
    find('wrongly-cancelled', 'cancelled without a request');
  }
  return findings;
}

function checkViewer(
  job: JobRecord,
  viewer: ViewerRecord,
  runs: ReadonlyMap<string, Run>,
  options: CheckOptions,
  windows: readonly LossWindow[],
): Finding[] {
  const { faults, lockMs } = options;
  const subject = job.id;
  const findings: Finding[] = [];
  const find = (kind: string, text: string, at: number): void =>
    void findings.push({ kind, subject, viewer: viewer.name, text, at });
  const before = leftBefore(viewer, windows);
  const segments = segmentsOf(viewer.seen);
  const whole = segments.at(-1)!;
  const end = viewer.seen.find(({ event }) => isEnd(event));
  const lost = lostAttempts(whole);

  checkRefusals(viewer, end?.at, find);
  for (const { event, at } of viewer.seen) {
    if (event === 'reset' && !mayReset(at, faults))
      find('needless-reset', 'reset, and Redis lost nothing', at);
  }
  for (const segment of segments) {
    findings.push(
      ...checkLifecycle({
        subject,
        viewer: viewer.name,
        segment,
        runs,
        mayBeStalled: (since, at) => mayLoseLock(at, since, faults, lockMs) || windows.length > 0,
        firstSeenAt: (event, attempt) =>
          Math.min(
            ...job.viewers.flatMap(({ seen }) =>
              seen.filter((one) => one.event === event && one.attempt === attempt).map(({ at }) => at),
            ),
          ),
        isTorn: (attempt) =>
          [...runs.values()].some((run) => run.attempt === attempt && overlaps(run.from, run.until, windows)),
        mayChangeEpoch: (at) => mayReset(at, faults),
        mayBeHandedBack: (at) =>
          windows.length > 0 || faults.some(({ kind, from }) => kind === 'worker-term' && from <= at),
      }),
      ...checkItems({
        subject,
        viewer: viewer.name,
        runs,
        segment,
        whole: segment === whole && end !== undefined && !before,
        mayLackTail: (run) =>
          run.ending === undefined ||
          run.ending.why === 'lock-lost' ||
          lost.has(run.attempt) ||
          overlaps(run.from, run.until, windows) ||
          isReplaced(run, runs),
        windows,
      }),
    );
  }
  const lastEnd = whole.find(({ event }) => isEnd(event));
  if (!lastEnd && !before) {
    find('no-end', `the viewer never saw the end (${job.state})`, viewer.seen.at(-1)?.at ?? job.acceptedAt);
  } else if (viewer.doneAt === undefined) {
    find('no-204', 'the viewer saw the end, but got no 204', lastEnd!.at);
  }
  if (lastEnd && !before) {
    if (lastEnd.event !== job.state)
      find('wrong-end', `the stream ended with ${lastEnd.event}, the job is ${job.state}`, lastEnd.at);
    checkLastProgress(whole, lastEnd, runs, windows, find);
  }
  checkPromptness(segments[0]!, viewer.name, runs, find);
  return findings;
}

/** Maximum time until a connected viewer gets an event, in ms: 5 s for a fault, and 5 s to replace a broken connection. */
const LATE_MS = 20_000;

/** Checks that connected viewers got events in time. */
function checkPromptness(
  segment: readonly Seen[],
  viewer: string,
  runs: ReadonlyMap<string, Run>,
  find: Find,
): void {
  const since = segment[0]?.at ?? 0;
  if (viewer === 'slow') return;
  for (const { at, items = [] } of segment) {
    for (const { run, kind, n } of items) {
      const saidAt = runs.get(run)?.said[kind][n - 1] ?? at;
      if (saidAt < since || at - saidAt < LATE_MS) continue;
      const seconds = Math.round((at - saidAt) / 1000);
      find('late-event', `${kind} ${n} of run ${run} came ${seconds} s after it was reported`, saidAt);
      return;
    }
  }
}

type Find = (kind: string, text: string, at: number) => void;

/** Checks responses: an EventSource gives up after any status but 200. After the end, 204 is expected. */
export function checkRefusals({ refusals }: ViewerRecord, endedAt: number | undefined, find: Find): void {
  const early = refusals.filter(({ at }) => endedAt === undefined || at < endedAt);
  for (const status of new Set(early.map((refusal) => refusal.status))) {
    const of = early.filter((refusal) => refusal.status === status);
    find('refused', `an EventSource would have given up: ${of.length} answers of ${status}`, of[0]!.at);
  }
}

/** Checks that viewers got the last report of a completed run, unless Redis lost it. */
function checkLastProgress(
  segment: readonly Seen[],
  end: Seen,
  runs: ReadonlyMap<string, Run>,
  windows: readonly LossWindow[],
  find: Find,
): void {
  const run = runs.get(end.result ?? '');
  if (end.event !== 'completed' || !run || run.lastProgress === 0) return;
  if (isLost(run.lastProgressAt, windows) || (run.ending && isLost(run.ending.at, windows))) return;
  const last = segment.findLast(({ progress }) => progress !== undefined)?.progress;
  if (last?.run !== run.run || last.n !== run.lastProgress) {
    const shown = last ? `report ${last.n} of run ${last.run}` : 'none';
    find(
      'stale-progress',
      `the last progress is ${shown}, said was ${run.lastProgress} of ${run.run}`,
      end.at,
    );
  }
}

/** The attempts whose worker was lost, according to the stream. */
const lostAttempts = (segment: readonly Seen[]): Set<number | undefined> =>
  new Set(segment.filter(({ event }) => event === 'stalled').map(({ attempt }) => attempt));

/** Whether a later run has replaced this one in the same attempt, because Redis lost its start. */
const isReplaced = (run: Run, runs: ReadonlyMap<string, Run>): boolean =>
  [...runs.values()].some((other) => other.attempt === run.attempt && other.from > run.from);

/** Whether the viewer received the end and left before Redis lost data. */
export const leftBefore = ({ doneAt, seen }: ViewerRecord, windows: readonly LossWindow[]): boolean => {
  const left = doneAt ?? seen.find(({ event }) => isEnd(event))?.at;
  return left !== undefined && windows.some(({ to }) => left <= to + NOTICE_MS);
};

/**
 * Checks viewers after Redis lost data: they must have all that Redis has, and nothing else unless they got a reset.
 */
function checkAgainst(final: ViewerRecord, viewer: ViewerRecord, subject: string): Finding[] {
  const reference = contents(segmentsOf(final.seen).at(-1)!);
  const own = contents(segmentsOf(viewer.seen).at(-1)!);
  const less = [...reference].filter(([name]) => !own.has(name));
  const more = [...own].filter(([name]) => !reference.has(name));
  const findings: Finding[] = [];
  const find = (kind: string, of: Array<[string, number]>, text: string): void => {
    if (of.length === 0) return;
    const names = of.slice(0, 3).map(([name]) => name);
    findings.push({
      kind,
      subject,
      viewer: viewer.name,
      text: `${of.length} ${text}: ${names.join(', ')}`,
      at: of[0]![1],
    });
  };
  find('missed-after-loss', less, 'events that Redis has never came');
  find('kept-after-loss', more, 'events that Redis lost were not withdrawn by a reset');
  return findings;
}

/** The times of the items and events of a segment, except states, by name. */
function contents(segment: readonly Seen[]): Map<string, number> {
  const out = new Map<string, number>();
  for (const { event, attempt, items, at } of segment) {
    if (items) for (const { kind, run, n } of items) out.set(`${kind} ${n} of ${run}`, at);
    else if (event !== 'progress' && event !== 'queue') out.set(`${event} of attempt ${attempt}`, at);
  }
  return out;
}
