import type { Random } from '../../support/random.js';
import type { ChannelRecord, JobRecord, Kind, Said, Seen, ViewerRecord } from './records.js';
import { KINDS } from './records.js';

/** Draws a correct record of a job, for tests of the checker. */
export function goodJob(random: Random): JobRecord {
  let at = 1_800_000_000_000;
  const tick = (): number => {
    at += random.between(1, 20);
    return at;
  };
  const said: Said[] = [];
  const log: Seen[] = [];
  let offset = 0;
  const tell = (event: Omit<Seen, 'at' | 'id'>): void =>
    void log.push({ at: tick(), id: `e0-${++offset}`, ...event });
  const attempts = random.between(1, 3);
  const succeeds = random.chance(0.7);
  const acceptedAt = tick();
  tell({ event: 'waiting', attempt: 0 });
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const run = `run${attempt}`;
    const last = attempt === attempts;
    said.push({ what: 'start', run, attempt, n: 0, at: tick() });
    tell({ event: 'active', attempt });
    const rounds = random.between(3, 12);
    const counts: Record<Kind, number> = { log: 0, event: 0, partial: 0 };
    for (let round = 1; round <= rounds; round++) {
      for (const kind of KINDS) {
        const batch = Array.from({ length: random.between(1, 4) }, () => {
          const n = ++counts[kind];
          said.push({ what: kind, run, attempt, n, at: tick() });
          return { kind, run, n, whole: true };
        });
        // Several chunks share an event; every other item has its own.
        const event = kind === 'event' ? 'said' : kind;
        if (kind === 'partial') tell({ event, attempt, items: batch });
        else for (const item of batch) tell({ event, attempt, items: [item] });
      }
      said.push({ what: 'progress', run, attempt, n: round, at: tick() });
      tell({ event: 'progress', attempt, percent: (100 * round) / rounds, progress: { run, n: round } });
    }
    said.push({ what: last && succeeds ? 'return' : 'throw', run, attempt, n: 0, at: tick() });
    if (!last) tell({ event: 'retrying', attempt });
    else if (succeeds) tell({ event: 'completed', attempt, result: run });
    else tell({ event: 'failed', attempt });
  }
  const names = ['early', 'late', 'returning', 'final'];
  return {
    id: `job ${random.between(1, 1_000_000)}`,
    kind: 'drawn',
    attempts,
    acceptedAt,
    said,
    viewers: names.map((name) => viewerOf(name, log, random)),
    state: succeeds ? 'completed' : 'failed',
  };
}

/** Coalesces some of the progress for each viewer, but never the last progress of an attempt. */
function viewerOf(name: string, log: readonly Seen[], random: Random): ViewerRecord {
  const seen = log.filter(
    (event, i) =>
      event.event !== 'progress' || i + 2 >= log.length || log[i + 1]!.event !== 'log' || random.chance(0.5),
  );
  return { name, seen: seen.map(copyOf), refusals: [], doneAt: log.at(-1)!.at + 10 };
}

/** Copies an event, so that a test can change it. `structuredClone` takes ten times as long. */
const copyOf = (event: Seen): Seen => ({
  ...event,
  ...(event.items && { items: event.items.map((item) => ({ ...item })) }),
  ...(event.progress && { progress: { ...event.progress } }),
});

/** Draws a correct record of a channel. */
export function goodChannel(random: Random): ChannelRecord {
  let at = 1_800_000_000_000;
  const published = Array.from({ length: random.between(10, 60) }, (_, i) => {
    at += random.between(1, 50);
    return { n: i + 1, at, until: at + 3, state: random.chance(0.2) };
  });
  const seen = published.map(
    ({ n, at, state }): Seen => ({
      at: at + 5,
      id: `e0-${n}`,
      event: state ? 'score' : 'said',
      ...(state
        ? { progress: { run: 'channel', n } }
        : { items: [{ kind: 'event', run: 'channel', n, whole: true }] }),
    }),
  );
  const viewers = ['early', 'final'].map((name) => ({ name, seen: seen.map(copyOf), refusals: [] }));
  return { name: 'public.drawn', published, viewers };
}
