import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Random, seeded } from '../../support/random.js';
import { checkChannel } from './check-channel.js';
import { checkJob } from './checker.js';
import { goodChannel, goodJob } from './good-record.js';
import type { ChannelRecord, FaultRecord, JobRecord, Seen, ViewerRecord } from './records.js';
import { isEnd } from './segments.js';

const seed = Number(process.env.SEED ?? 1);
const RECORDS = 25;
const LOCK_MS = 3000;

const jobFindings = (job: JobRecord, faults: FaultRecord[] = []): string[] =>
  checkJob(job, { faults, lockMs: LOCK_MS, finalViewer: 'final' }).map(({ kind }) => kind);
const channelFindings = (channel: ChannelRecord, faults: FaultRecord[] = []): string[] =>
  checkChannel(channel, { faults, lockMs: LOCK_MS, finalViewer: 'final' }).map(({ kind }) => kind);

/** Draws records from the seed, each with a source of random numbers for the change to it. */
function* records<T>(draw: (random: Random) => T): Generator<[T, Random]> {
  const random = seeded(seed);
  for (let i = 0; i < RECORDS; i++) yield [draw(random), random.fork()];
}

/** Gives the events new ids, so that only their content is wrong. */
const renumber = ({ seen }: Pick<ViewerRecord, 'seen'>): void =>
  seen.forEach((event, i) => {
    if (event.event !== 'reset') event.id = `e0-${i + 1}`;
  });
const isItem = ({ items }: Seen): boolean => items !== undefined;
const indexesOf = (seen: readonly Seen[], what: (event: Seen) => boolean): number[] =>
  seen.flatMap((event, i) => (what(event) ? [i] : []));

/** Changes the events of one viewer. Returns false if they cannot be changed in this way. */
type Change = (viewer: ViewerRecord, random: Random, job: JobRecord) => boolean | undefined;

/** Removes one event of a kind. */
const without =
  (what: (event: Seen) => boolean): Change =>
  (viewer, random) => {
    const places = indexesOf(viewer.seen, what);
    if (places.length === 0) return false;
    viewer.seen.splice(random.pick(places), 1);
    renumber(viewer);
  };

/** Inserts a copy of one event, directly after it or later. */
const twice =
  (what: (event: Seen) => boolean, behind: 'next' | 'end' = 'next'): Change =>
  (viewer, random) => {
    const places = indexesOf(viewer.seen, what);
    if (places.length === 0) return false;
    const place = random.pick(places);
    const copy = structuredClone(viewer.seen[place]!);
    viewer.seen.splice(behind === 'next' ? place + 1 : viewer.seen.length, 0, copy);
    renumber(viewer);
  };

/** Exchanges the content of two events of one run and kind. */
const exchanged =
  (of: (event: Seen) => { run: string; kind?: string; n: number } | undefined): Change =>
  (viewer, random) => {
    const places = indexesOf(viewer.seen, (event) => of(event) !== undefined);
    if (places.length === 0) return false;
    const first = random.pick(places);
    const one = of(viewer.seen[first]!)!;
    const second = viewer.seen.findIndex((event, i) => {
      const other = of(event);
      return i > first && other?.run === one.run && other.kind === one.kind && other.n > one.n;
    });
    if (second < 0) return false;
    const [a, b] = [viewer.seen[first]!, viewer.seen[second]!];
    [viewer.seen[first], viewer.seen[second]] = [
      { ...b, at: a.at, id: a.id },
      { ...a, at: b.at, id: b.id },
    ];
  };

const single = ({ items }: Seen) => (items?.length === 1 ? items[0] : undefined);
const report = ({ progress }: Seen) => progress;
const named =
  (name: string) =>
  ({ event }: Seen): boolean =>
    event === name;
const ends = ({ event }: Seen): boolean => isEnd(event);
const log = (event: Partial<Seen>, at: number): Seen => ({ at, id: '', event: 'log', ...event });

const JOB_CHANGES: Array<[name: string, finding: string, change: Change]> = [
  ['one item lost', 'lost', without(isItem)],
  [
    'one of several chunks lost',
    'lost',
    (viewer, random) => {
      const places = indexesOf(viewer.seen, ({ items }) => (items?.length ?? 0) > 1);
      if (places.length === 0) return false;
      const { items } = viewer.seen[random.pick(places)]!;
      items!.splice(random.between(0, items!.length - 1), 1);
    },
  ],
  [
    'the last item of a run lost',
    'lost',
    (viewer, random, { said }) => {
      const { run } = random.pick(said);
      const mine = indexesOf(viewer.seen, ({ items }) => items?.[0]?.run === run && items[0].kind === 'log');
      viewer.seen.splice(mine.at(-1)!, 1);
      renumber(viewer);
    },
  ],
  ['one item doubled', 'doubled', twice(isItem)],
  [
    'a frame duplicated with its id',
    'id-order',
    (viewer, random) => {
      const place = random.pick(indexesOf(viewer.seen, isItem));
      viewer.seen.splice(place, 0, structuredClone(viewer.seen[place]!));
    },
  ],
  ['two items exchanged', 'reordered', exchanged(single)],
  [
    'two frames exchanged',
    'id-order',
    (viewer, random) => {
      const place = random.between(0, viewer.seen.length - 2);
      const [a, b] = viewer.seen.slice(place, place + 2);
      viewer.seen.splice(place, 2, b!, a!);
    },
  ],
  [
    'an item that was never reported',
    'invented',
    (viewer, random) => {
      const [item] = viewer.seen[random.pick(indexesOf(viewer.seen, isItem))]!.items!;
      item!.n += 1000;
    },
  ],
  [
    'a truncated item',
    'damaged',
    (viewer, random) => {
      viewer.seen[random.pick(indexesOf(viewer.seen, isItem))]!.items![0]!.whole = false;
    },
  ],
  ['progress backward', 'backward', exchanged(report)],
  [
    'progress after the end of its attempt',
    'out-of-place',
    (viewer, random) => {
      const places = indexesOf(viewer.seen, named('retrying'));
      if (places.length === 0) return false;
      const place = random.pick(places);
      const attempt = viewer.seen[place]!.attempt!;
      viewer.seen.splice(place + 1, 0, { ...log({ event: 'progress', attempt, percent: 100 }, 0) });
      renumber(viewer);
    },
  ],
  [
    'a completed job without its last progress',
    'stale-progress',
    (viewer, _random, { state }) => {
      if (state !== 'completed') return false;
      viewer.seen.splice(indexesOf(viewer.seen, named('progress')).at(-1)!, 1);
      renumber(viewer);
    },
  ],
  ['the end lost', 'no-end', without(ends)],
  ['the end doubled', 'doubled-end', twice(ends)],
  ['an item after the end', 'after-end', twice(isItem, 'end')],
  [
    'an end that differs from the job',
    'wrong-end',
    (viewer) => {
      viewer.seen.at(-1)!.event = 'cancelled';
    },
  ],
  ['active lost', 'out-of-place', without(named('active'))],
  ['active doubled', 'doubled-active', twice(named('active'))],
  ['waiting doubled', 'doubled-waiting', twice(named('waiting'))],
  ['retrying lost', 'no-attempt-end', without(named('retrying'))],
  ['retrying doubled', 'doubled-retrying', twice(named('retrying'))],
  [
    'stalled without a lost worker',
    'unjustified',
    (viewer) => {
      const place = viewer.seen.findIndex(named('retrying'));
      if (place < 0) return false;
      viewer.seen[place]!.event = 'stalled';
    },
  ],
  [
    'reset although Redis lost nothing',
    'needless-reset',
    (viewer, random) => {
      const known = structuredClone(viewer.seen.slice(0, random.between(1, viewer.seen.length - 1)));
      viewer.seen.unshift(...known, log({ event: 'reset' }, known.at(-1)!.at));
    },
  ],
  [
    'a reset that is not followed by the log',
    'lost',
    (viewer, random) => {
      const place = random.between(Math.floor(viewer.seen.length / 2), viewer.seen.length - 1);
      viewer.seen.splice(place, 0, log({ event: 'reset' }, viewer.seen[place]!.at));
    },
  ],
  [
    'a reset after the end, without a new end',
    'no-end',
    (viewer) => {
      viewer.seen.push(log({ event: 'reset' }, viewer.seen.at(-1)!.at));
    },
  ],
  [
    'a new epoch without a reset',
    'silent-epoch',
    (viewer, random) => {
      const from = random.between(1, viewer.seen.length - 1);
      for (const event of viewer.seen.slice(from)) event.id = event.id.replace('e0', 'e1');
    },
  ],
  [
    'too few items reported as missing',
    'lost',
    (viewer, random, job) => {
      without(({ items }) => items?.[0]?.kind === 'log')(viewer, random, job);
      without(({ items }) => items?.[0]?.kind === 'log')(viewer, random, job);
      const at = viewer.seen.at(-1)!.at;
      viewer.seen.splice(-1, 0, log({ attempt: job.attempts, missing: { log: 1 } }, at));
      renumber(viewer);
      // If the two lost lines are of different attempts, the number is right for one of them.
      return true;
    },
  ],
  [
    'items that have arrived reported as missing',
    'overstated',
    (viewer, _random, { attempts }) => {
      viewer.seen.splice(-1, 0, log({ attempt: attempts, missing: { event: 2 } }, viewer.seen.at(-1)!.at));
      renumber(viewer);
    },
  ],
  [
    'a viewer without events for too long',
    'late-event',
    (viewer, random) => {
      const place = random.pick(indexesOf(viewer.seen, isItem));
      for (const event of viewer.seen.slice(place)) event.at += 30_000;
    },
  ],
  [
    'a viewer that got a 503',
    'refused',
    (viewer) => {
      viewer.refusals.push({ at: viewer.seen[0]!.at, status: 503 });
    },
  ],
  [
    'a viewer that gets no 204',
    'no-204',
    (viewer) => {
      delete viewer.doneAt;
    },
  ],
];

const OUTCOMES: Array<[name: string, finding: string, change: (job: JobRecord) => boolean | undefined]> = [
  [
    'failed although a run returned and none threw',
    'wrongly-failed',
    (job) => {
      if (job.attempts > 1) return false;
      for (const line of job.said) if (line.what === 'throw') line.what = 'return';
      job.state = 'failed';
    },
  ],
  [
    'failed before its last attempt',
    'wrongly-failed',
    (job) => {
      job.state = 'failed';
      job.attempts++;
    },
  ],
  [
    'completed although no run returned',
    'wrongly-completed',
    (job) => {
      if (job.state === 'completed') return false;
      job.state = 'completed';
    },
  ],
  [
    'cancelled without a request',
    'wrongly-cancelled',
    (job) => {
      job.state = 'cancelled';
    },
  ],
  [
    'without an end',
    'unfinished',
    (job) => {
      job.state = 'active';
    },
  ],
  [
    'gone although Redis lost nothing',
    'lost-job',
    (job) => {
      job.state = 'gone';
    },
  ],
];

describe(`the checker of the campaign (SEED=${seed})`, () => {
  it(`finds nothing in ${RECORDS} good records of jobs and channels`, () => {
    for (const [job] of records(goodJob)) expect(jobFindings(job)).toEqual([]);
    for (const [channel] of records(goodChannel)) expect(channelFindings(channel)).toEqual([]);
  });

  it('shares no code with the product', () => {
    const folder = fileURLToPath(new URL('.', import.meta.url));
    const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    expect(files).toContain('checker.ts');
    for (const name of files) {
      const imports = [...readFileSync(join(folder, name), 'utf8').matchAll(/from '([^']+)'/g)];
      for (const [, path] of imports) expect(path).not.toMatch(/\/src\/|\/dist\//);
    }
  });

  it.each(JOB_CHANGES)('finds %s: %s', (_name, finding, change) => {
    let changed = 0;
    for (const [job, random] of records(goodJob)) {
      if (change(random.pick(job.viewers), random, job) === false) continue;
      changed++;
      expect(jobFindings(job)).toContain(finding);
    }
    expect(changed).toBeGreaterThan(RECORDS / 5);
  });

  it.each(OUTCOMES)('finds a job %s: %s', (_name, finding, change) => {
    let changed = 0;
    for (const [job] of records(goodJob)) {
      if (change(job) === false) continue;
      changed++;
      expect(jobFindings(job)).toContain(finding);
    }
    expect(changed).toBeGreaterThan(RECORDS / 10);
  });

  it.each<[string, string, Change]>([
    ['one event lost', 'lost', without(isItem)],
    ['one event doubled', 'doubled', twice(isItem)],
    ['two events exchanged', 'reordered', exchanged(single)],
    ['two states exchanged', 'backward', exchanged(report)],
    [
      'the last state lost',
      'stale-state',
      (viewer) => {
        const places = indexesOf(viewer.seen, ({ progress }) => progress !== undefined);
        if (places.length === 0) return false;
        viewer.seen.splice(places.at(-1)!, 1);
        renumber(viewer);
      },
    ],
    [
      'a viewer that got a 503',
      'refused',
      (viewer) => {
        viewer.refusals.push({ at: viewer.seen[0]!.at, status: 503 });
      },
    ],
  ])('finds on a channel %s: %s', (_name, finding, change) => {
    let changed = 0;
    for (const [channel, random] of records(goodChannel)) {
      if (change(random.pick(channel.viewers), random, {} as JobRecord) === false) continue;
      changed++;
      expect(channelFindings(channel)).toContain(finding);
    }
    expect(changed).toBeGreaterThan(RECORDS / 5);
  });

  it('accepts a stream that says how many items are missing', () => {
    for (const [job, random] of records(goodJob)) {
      for (const viewer of job.viewers) {
        const place = random.pick(indexesOf(viewer.seen, ({ items }) => items?.[0]?.kind === 'log'));
        const { attempt, at } = viewer.seen[place]!;
        viewer.seen[place] = log({ attempt: attempt!, missing: { log: 1 } }, at);
        renumber(viewer);
      }
      expect(jobFindings(job)).toEqual([]);
    }
  });

  it('accepts that a run lacks its last reports if its worker was lost, and nothing else', () => {
    for (const [job] of records(goodJob)) {
      if (job.attempts === 1) continue;
      // In the first attempt, the worker is killed before the job can throw.
      job.said = job.said.filter(({ what, attempt }) => what !== 'throw' || attempt > 1);
      if (job.state === 'failed') job.attempts--;
      const killed = job.viewers[0]!.seen.find(named('retrying'))!.at;
      const faults = [{ kind: 'worker-kill', target: 'worker-0', from: killed - 50, to: killed + 1000 }];
      for (const viewer of job.viewers) {
        const place = viewer.seen.findIndex(named('retrying'));
        viewer.seen[place]!.event = 'stalled';
        const tail = viewer.seen.findLastIndex((event, i) => i < place && event.items?.[0]?.kind === 'log');
        viewer.seen.splice(tail, 1);
        renumber(viewer);
      }
      expect(jobFindings(job, faults)).toEqual([]);
      const first = job.viewers[0]!;
      first.seen.splice(
        first.seen.findIndex(({ items }) => items?.[0]?.kind === 'log'),
        1,
      );
      renumber(first);
      // In a run with one or two lines, the lost line may count as one of the last reports.
      const said = job.said.filter(({ what, attempt }) => what === 'log' && attempt === 1).length;
      if (said > 2) expect(jobFindings(job, faults)).toContain('lost');
    }
  });

  it('accepts that a viewer gets `stalled` long after the worker was lost', () => {
    for (const [job] of records(goodJob)) {
      if (job.attempts === 1) continue;
      const killed = job.viewers[0]!.seen.find(named('retrying'))!.at;
      const faults = [{ kind: 'worker-kill', target: 'worker-0', from: killed - 50, to: killed + 1000 }];
      // It is cancelled before its second run says anything.
      job.said = job.said.filter(({ what, attempt }) => what !== 'throw' && attempt === 1);
      Object.assign(job, { state: 'cancelled', cancelledAt: killed });
      for (const viewer of job.viewers) {
        const place = viewer.seen.findIndex(named('retrying'));
        const stalled = Object.assign(viewer.seen[place]!, { event: 'stalled' });
        viewer.seen.splice(place + 1, viewer.seen.length, { ...stalled, event: 'cancelled', attempt: 2 });
        renumber(viewer);
      }
      const late = structuredClone(job.viewers.find(({ name }) => name === 'final')!);
      late.name = 'late';
      for (const event of late.seen) event.at += 60_000;
      late.doneAt = late.seen.at(-1)!.at;
      job.viewers.push(late);
      expect(jobFindings(job, faults).filter((kind) => kind !== 'late')).toEqual([]);
    }
  });

  it('accepts a reset if Redis was restarted', () => {
    for (const [job, random] of records(goodJob)) {
      const viewer = random.pick(job.viewers);
      const known = structuredClone(viewer.seen.slice(0, random.between(1, viewer.seen.length - 1)));
      const { at } = known.at(-1)!;
      viewer.seen.unshift(...known, log({ event: 'reset' }, at));
      const faults = [{ kind: 'redis-kill', target: 'redis', from: at - 100, to: at - 50 }];
      expect(jobFindings(job, faults)).toEqual([]);
    }
  });

  describe('after Redis lost data', () => {
    /** Removes an event from Redis, and adds a fault that explains this. */
    function forget(job: JobRecord, random: Random): FaultRecord[] {
      const final = job.viewers.find(({ name }) => name === 'final')!;
      const place = random.pick(indexesOf(final.seen, ({ items }) => items?.length === 1));
      const [item] = final.seen[place]!.items!;
      const line = job.said.find(
        ({ what, run, n }) => what === item!.kind && run === item!.run && n === item!.n,
      )!;
      for (const { seen } of job.viewers) {
        const at = seen.findIndex(
          ({ items }) =>
            items?.[0]?.kind === item!.kind && items[0].run === item!.run && items[0].n === item!.n,
        );
        seen.splice(at, 1);
      }
      return [
        { kind: 'redis-older-copy', target: 'redis', from: line.at, to: line.at + 1, losesFrom: line.at },
      ];
    }

    it('accepts that viewers lack the lost events', () => {
      for (const [job, random] of records(goodJob)) {
        const faults = forget(job, random);
        for (const viewer of job.viewers) {
          renumber(viewer);
          // The viewers stay for a long time after the fault.
          for (const event of viewer.seen.slice(-1)) event.at += 10_000;
          viewer.doneAt! += 10_000;
        }
        expect(jobFindings(job, faults)).toEqual([]);
      }
    });

    it('accepts that viewers lack a lost last progress, although the job ended after the fault', () => {
      let completed = 0;
      for (const [job] of records(goodJob)) {
        const last = job.said.findLast(({ what }) => what === 'progress');
        if (job.state !== 'completed' || !last) continue;
        for (const viewer of job.viewers) {
          viewer.seen = viewer.seen.filter(({ event }) => event !== 'progress');
          renumber(viewer);
          for (const event of viewer.seen.slice(-1)) event.at += 10_000;
          viewer.doneAt! += 10_000;
        }
        const fault = { kind: 'redis-lagging-replica', target: 'redis', from: last.at, to: last.at };
        expect(jobFindings(job, [{ ...fault, losesFrom: last.at + 1500 }])).toEqual([]);
        completed++;
      }
      expect(completed).toBeGreaterThan(0);
    });

    it('finds a viewer that kept lost events, or lacks events that Redis has', () => {
      for (const [job, random] of records(goodJob)) {
        const faults = forget(job, random);
        const others = job.viewers.filter(({ name }) => name !== 'final');
        const keeps = others[0]!;
        const misses = others[1]!;
        const item = goneItem(job, keeps);
        keeps.seen.splice(
          keeps.seen.findIndex(({ attempt, event }) => event === 'active' && attempt === item.attempt) + 1,
          0,
          item,
        );
        without(({ items }) => items?.length === 1)(misses, random, job);
        for (const viewer of job.viewers) {
          renumber(viewer);
          viewer.seen.at(-1)!.at += 10_000;
          viewer.doneAt! += 10_000;
        }
        const findings = checkJob(job, { faults, lockMs: LOCK_MS, finalViewer: 'final' });
        const of = (viewer: ViewerRecord): string[] =>
          findings.filter((finding) => finding.viewer === viewer.name).map(({ kind }) => kind);
        expect(of(keeps)).toContain('kept-after-loss');
        expect(of(misses)).toContain('missed-after-loss');
      }
    });

    /** Returns an item that was reported and that this viewer lacks. */
    function goneItem(job: JobRecord, { seen }: ViewerRecord): Seen {
      const has = new Set(
        seen.flatMap(({ items = [] }) => items.map(({ kind, run, n }) => `${kind} ${run} ${n}`)),
      );
      const line = job.said.find(
        ({ what, run, n }) => ['log', 'event', 'partial'].includes(what) && !has.has(`${what} ${run} ${n}`),
      )!;
      const { what, run, n, attempt, at } = line;
      return { at, id: '', event: what, attempt, items: [{ kind: what as 'log', run, n, whole: true }] };
    }
  });
});
