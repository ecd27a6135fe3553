import type { Run } from './check-items.js';
import type { Finding, Seen } from './records.js';
import { isEnd } from './segments.js';

export interface LifecycleQuestion {
  subject: string;
  viewer: string;
  segment: readonly Seen[];
  runs: ReadonlyMap<string, Run>;
  /** Whether a worker may have been lost between two times. */
  mayBeStalled: (since: number, at: number) => boolean;
  /** When the first of all viewers of the job got the event of an attempt. */
  firstSeenAt: (event: string, attempt: number) => number;
  /** Whether Redis lost data during this attempt, which may include its start or end. */
  isTorn: (attempt: number) => boolean;
  mayChangeEpoch: (at: number) => boolean;
  mayBeHandedBack: (at: number) => boolean;
}

/**
 * Checks the order of a stream's events: attempts begin once and end once, progress never goes back and stays within its
 * attempt, there is one end and nothing after it, and ids only grow.
 */
export function checkLifecycle(question: LifecycleQuestion): Finding[] {
  const { subject, viewer, segment, runs } = question;
  const findings: Finding[] = [];
  const find = (kind: string, text: string, at: number): void =>
    void findings.push({ kind, subject, viewer, text, at });
  let open: number | undefined;
  let last = 0;
  let ended: string | undefined;
  let queued = false;
  let percent = 0;
  const reports = new Map<string, number>();
  const outside = new Map<string, { count: number; at: number }>();

  checkIds(segment, question.mayChangeEpoch, find);
  for (const seen of segment) {
    const { event, attempt = 0, at } = seen;
    if (ended !== undefined) {
      find(isEnd(event) ? 'doubled-end' : 'after-end', `${event} came after ${ended}`, at);
      continue;
    }
    if (isEnd(event)) {
      ended = event;
      if (event !== 'cancelled' && open !== attempt && open !== undefined) {
        find('out-of-place', `${event} of attempt ${attempt} while attempt ${open} was active`, at);
      }
      if (event === 'completed') checkResult(seen, runs, find);
    } else if (event === 'active') {
      if (question.isTorn(attempt) || (open !== undefined && question.isTorn(open))) {
        // Redis may have lost the events before this one, which may also be published again.
      } else if (attempt <= last) {
        find('doubled-active', `active of attempt ${attempt} after that of ${last}`, at);
      } else if (open !== undefined) {
        find('no-attempt-end', `attempt ${attempt} began and there was no end of attempt ${open}`, at);
      }
      open = attempt;
      last = Math.max(last, attempt);
      percent = 0;
    } else if (event === 'retrying' || event === 'stalled' || (event === 'waiting' && attempt > 0)) {
      if (question.isTorn(attempt)) {
        // Redis may have lost the end of the attempt as well.
      } else if (open !== attempt) {
        find(`doubled-${event}`, `${event} of attempt ${attempt}, which was not active`, at);
      } else checkEnding(event, attempt, at);
      open = undefined;
    } else if (event === 'waiting') {
      if (queued || last > 0) find('doubled-waiting', 'a second `waiting` without a reason', at);
      queued = true;
    } else if (event === 'progress' || seen.items || seen.missing) {
      if (attempt !== open && !question.isTorn(attempt)) {
        const entry = outside.get(event) ?? { count: 0, at };
        entry.count++;
        outside.set(event, entry);
      }
      if (event === 'progress') checkProgress(seen);
    }
  }
  for (const [event, { count, at }] of outside) {
    find('out-of-place', `${count} ${event} came outside of their attempt`, at);
  }
  return findings;

  function checkEnding(event: string, attempt: number, at: number): void {
    const mine = [...runs.values()].filter((run) => run.attempt === attempt);
    const endings = mine.map((run) => run.ending?.what);
    // A viewer may get the event much later, but another one does not, and the next run begins soon.
    const later = [...runs.values()].filter((run) => run.attempt > attempt);
    const next = Math.min(question.firstSeenAt(event, attempt), ...later.map(({ from }) => from));
    const since = Math.min(next, ...mine.map(({ from }) => from));
    if (event === 'retrying' && !endings.includes('throw')) {
      find('unjustified', `retrying of attempt ${attempt}, which did not throw`, at);
    }
    if (event === 'stalled' && !question.mayBeStalled(since, next)) {
      find('unjustified', `stalled of attempt ${attempt}, and no worker was lost`, at);
    }
    if (event === 'waiting' && !question.mayBeHandedBack(at)) {
      find('unjustified', `attempt ${attempt} was handed back, and no worker was asked to stop`, at);
    }
  }

  function checkProgress(seen: Seen): void {
    if (typeof seen.percent === 'number') {
      if (seen.percent < percent)
        find('backward', `progress went from ${percent} % to ${seen.percent} %`, seen.at);
      percent = Math.max(percent, seen.percent);
    }
    if (!seen.progress) return;
    const { run, n } = seen.progress;
    const before = reports.get(run) ?? 0;
    if (n < before) find('backward', `report ${n} of run ${run} came after report ${before}`, seen.at);
    reports.set(run, Math.max(before, n));
  }
}

function checkResult(seen: Seen, runs: ReadonlyMap<string, Run>, find: Find): void {
  const run = runs.get(seen.result ?? '');
  if (run?.ending?.what !== 'return') {
    find('unjustified', `completed with the result of run ${seen.result}, which did not return`, seen.at);
  }
}

type Find = (kind: string, text: string, at: number) => void;

/** Checks ids, `epoch-offset`: offsets grow, and the epoch changes only if Redis was replaced. */
export function checkIds(
  segment: readonly Seen[],
  mayChangeEpoch: (at: number) => boolean,
  find: Find,
): void {
  let epoch: string | undefined;
  let offset = 0;
  for (const { id, event, at } of segment) {
    if (id === '') {
      find('no-id', `${event} came without an id`, at);
      continue;
    }
    const [nowEpoch, nowOffset] = [
      id.slice(0, id.lastIndexOf('-')),
      Number(id.slice(id.lastIndexOf('-') + 1)),
    ];
    if (epoch !== undefined && nowEpoch !== epoch && !mayChangeEpoch(at)) {
      find('silent-epoch', `the epoch went from ${epoch} to ${nowEpoch} without a reset`, at);
    }
    if (nowOffset <= offset) find('id-order', `id ${id} (${event}) came after offset ${offset}`, at);
    epoch = nowEpoch;
    offset = Math.max(offset, nowOffset);
  }
}
