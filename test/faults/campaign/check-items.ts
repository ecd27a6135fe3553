import type { Finding, Item, Kind, Said, Seen } from './records.js';
import { KINDS } from './records.js';
import { isLost, type LossWindow } from './windows.js';

/** One run, from the record that the job itself wrote. */
export interface Run {
  run: string;
  attempt: number;
  from: number;
  /** When it made its last report. */
  until: number;
  /** How the run ended; `undefined` if its worker died first. */
  ending: Said | undefined;
  /** Times of the reports, by kind. Report n is at index n - 1. */
  said: Record<Kind, number[]>;
  lastProgress: number;
  lastProgressAt: number;
}

export function runsOf(said: readonly Said[]): Map<string, Run> {
  const runs = new Map<string, Run>();
  for (const line of said) {
    let run = runs.get(line.run);
    if (!run) {
      const none: Record<Kind, number[]> = { log: [], event: [], partial: [] };
      run = {
        run: line.run,
        attempt: line.attempt,
        from: line.at,
        until: line.at,
        ending: undefined,
        said: none,
        lastProgress: 0,
        lastProgressAt: line.at,
      };
      runs.set(line.run, run);
    }
    run.until = line.at;
    if (line.what === 'progress') {
      run.lastProgress = line.n;
      run.lastProgressAt = line.at;
    } else if (line.what === 'return' || line.what === 'throw' || line.what === 'stop') run.ending = line;
    else if (line.what !== 'start' && line.what !== 'stage') run.said[line.what][line.n - 1] = line.at;
  }
  return runs;
}

export interface ItemsQuestion {
  subject: string;
  viewer: string;
  runs: ReadonlyMap<string, Run>;
  segment: readonly Seen[];
  /** Whether the segment reaches the end of the job. Only then can items be missing. */
  whole: boolean;
  /** Whether the last reports of a run may be missing because its worker was lost. */
  mayLackTail: (run: Run) => boolean;
  windows: readonly LossWindow[];
}

/** Checks that each item of each run came once and in order, or that the stream says it is missing. */
export function checkItems(question: ItemsQuestion): Finding[] {
  const { subject, viewer, runs, segment, whole } = question;
  const findings: Finding[] = [];
  const find = (kind: string, text: string, at: number): void =>
    void findings.push({ kind, subject, viewer, text, at });
  const seen = new Map<string, number[]>();
  const highest = new Map<string, number>();
  const twice = new Tally();
  const disordered = new Tally();
  for (const { at, items = [] } of segment) {
    for (const item of items) {
      const run = runs.get(item.run);
      const key = `${item.run} ${item.kind}`;
      if (!run || item.n < 1 || item.n > run.said[item.kind].length) {
        find('invented', `${nameOf(item)} was never reported`, at);
        continue;
      }
      if (!item.whole) find('damaged', `${nameOf(item)} came truncated`, at);
      const before = seen.get(key) ?? [];
      seen.set(key, before);
      const most = highest.get(key) ?? 0;
      if (item.n <= most)
        (before.includes(item.n) ? twice : disordered).add(key, item.n, run.said[item.kind][item.n - 1]!);
      before.push(item.n);
      highest.set(key, Math.max(most, item.n));
    }
  }
  for (const { key, numbers, at } of twice) find('doubled', `${amount(numbers, key)} came twice`, at);
  for (const { key, numbers, at } of disordered) {
    find('reordered', `${amount(numbers, key)} came after a later one`, at);
  }
  if (whole) findings.push(...checkMissing(question, seen));
  return findings;
}

function checkMissing(question: ItemsQuestion, seen: ReadonlyMap<string, number[]>): Finding[] {
  const { subject, viewer, runs, segment, mayLackTail, windows } = question;
  const findings: Finding[] = [];
  const stated = statedMissing(segment);
  for (const run of runs.values()) {
    const tail = mayLackTail(run);
    for (const kind of KINDS) {
      const key = `${run.run} ${kind}`;
      const got = new Set(seen.get(key));
      const last = Math.max(0, ...got);
      const lacking: number[] = [];
      let excused = 0;
      for (const [index, at] of run.said[kind].entries()) {
        const n = index + 1;
        if (got.has(n)) continue;
        if (isLost(at, windows) || (tail && n > last)) excused++;
        else lacking.push(n);
      }
      const said = stated.get(`${run.attempt} ${kind}`) ?? 0;
      if (lacking.length > said) {
        const but = said > 0 ? `, the stream says ${said}` : '';
        const at = run.said[kind][lacking[0]! - 1]!;
        findings.push({
          kind: 'lost',
          subject,
          viewer,
          at,
          text: `${amount(lacking, key)} of ${run.said[kind].length} never came${but}`,
        });
      }
      // Items that may be missing cannot be distinguished from those that the stream says are missing.
      if (said > lacking.length && excused === 0 && !tail) {
        const text = `the stream says that ${said} of ${key} are missing, but ${lacking.length} are`;
        findings.push({ kind: 'overstated', subject, viewer, at: run.from, text });
      }
    }
  }
  return findings;
}

/** The number of missing items that the stream states, by attempt and kind. */
function statedMissing(segment: readonly Seen[]): Map<string, number> {
  const stated = new Map<string, number>();
  for (const { attempt, missing = {} } of segment) {
    for (const kind of KINDS) {
      if (missing[kind])
        stated.set(`${attempt} ${kind}`, (stated.get(`${attempt} ${kind}`) ?? 0) + missing[kind]);
    }
  }
  return stated;
}

/** Merges the findings of one kind about one run into one. */
class Tally {
  private readonly found = new Map<string, { key: string; numbers: number[]; at: number }>();
  add(key: string, n: number, at: number): void {
    const entry = this.found.get(key) ?? { key, numbers: [], at };
    entry.numbers.push(n);
    this.found.set(key, entry);
  }
  [Symbol.iterator]() {
    return this.found.values();
  }
}

const nameOf = ({ kind, run, n }: Item): string => `${kind} ${n} of run ${run}`;

function amount(numbers: number[], key: string): string {
  const [run, kind] = key.split(' ');
  const shown = numbers.slice(0, 5).join(', ');
  return `${numbers.length} ${kind} (${shown}${numbers.length > 5 ? ', …' : ''}) of run ${run}`;
}
