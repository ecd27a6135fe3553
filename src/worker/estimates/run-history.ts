import { KEPT_RUNS, type PastRun, packRun, parseRun, runsKey } from '../../shared/estimates/past-runs.js';
import type { Keyspace } from '../../shared/keyspace.js';
import type { Logger } from '../../shared/process/log.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { createForecast, type Forecast } from './forecast.js';
import { estimateScripts } from './scripts.js';

/** How long the runs of a kind are kept without a new one, in ms. */
const KEEP_MS = 30 * 24 * 3_600_000;
/** A shorter run needs no estimate, and its kind costs nothing here. */
const MIN_MS = 250;
/** How often runs are sent to Redis, in ms. */
const FLUSH_MS = 1000;
/** How many runs of a kind are sent at a time. A kind that runs more often is sampled. */
const PER_FLUSH = 4;
/** The runs of other workers are read after this time, in ms. */
const FRESH_MS = 30_000;

/** What a process knows of a kind. */
interface Kind {
  /** The earlier runs, newest first. */
  runs: PastRun[];
  /** From `runs`, once it is needed. */
  forecast: Forecast | undefined;
  /** Runs that Redis does not have yet, oldest first. */
  pending: PastRun[];
  readAt: number;
}

/**
 * The completed runs of each kind, for estimates of later runs. They are shared by all workers through Redis. Jobs do not
 * wait for that: runs are sent once a second, and the reply has the runs of other workers. The last second is lost when a
 * process is killed.
 */
export interface RunHistory {
  /** Returns what is known now about runs of a kind. */
  forecast(name: string): Forecast;
  /** Adds a run that has completed. */
  add(name: string, run: PastRun): void;
  /** Sends pending runs, and reads those of other workers. Never rejects: if Redis is unavailable, it is repeated. */
  flush(): Promise<void>;
}

/** @param names the kinds that the process runs */
export function createRunHistory(
  redis: RedisClient,
  keyspace: Keyspace,
  names: Iterable<string>,
  log: Logger,
): RunHistory {
  const scripts = scriptsOf(redis, estimateScripts);
  const kinds = new Map<string, Kind>(Array.from(names, (name) => [name, newKind()]));
  /** The kinds to send or to read. */
  let due = new Set(kinds.keys());
  let timer: NodeJS.Timeout | undefined;

  function kindOf(name: string): Kind {
    const kind = kinds.get(name) ?? newKind();
    kinds.set(name, kind);
    return kind;
  }

  function later(name: string): void {
    due.add(name);
    timer ??= setTimeout(() => void flush(), FLUSH_MS).unref();
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const sent = Array.from(due, (name) => ({ name, kind: kindOf(name), runs: kindOf(name).pending }));
    if (sent.length === 0) return;
    due = new Set();
    for (const { kind } of sent) kind.pending = [];
    const keys = sent.map(({ name }) => runsKey(keyspace, name));
    const runs = sent.flatMap(({ runs }, i) => runs.flatMap((run) => [i + 1, packRun(run)]));
    try {
      const lists = await scripts.noteRuns(keys.length, ...keys, KEPT_RUNS, KEEP_MS, ...runs);
      for (const [i, { kind }] of sent.entries()) {
        const kept = (lists[i] ?? []).flatMap((text) => parseRun(text) ?? []);
        // Completed while this call was under way.
        setRuns(kind, [...kind.pending.toReversed(), ...kept]);
        kind.readAt = performance.now();
      }
    } catch (error) {
      log.debug({ err: error }, 'could not share the durations of runs');
      for (const { name, kind, runs } of sent) {
        kind.pending = [...runs, ...kind.pending].slice(0, PER_FLUSH);
        later(name);
      }
    }
  }

  return {
    forecast(name) {
      const kind = kindOf(name);
      if (performance.now() - kind.readAt > FRESH_MS) later(name);
      kind.forecast ??= createForecast(kind.runs);
      return kind.forecast;
    },
    add(name, run) {
      const kind = kindOf(name);
      if (run.ms < MIN_MS || kind.pending.length >= PER_FLUSH) return;
      kind.pending.push(run);
      setRuns(kind, [run, ...kind.runs]);
      later(name);
    },
    flush,
  };
}

const newKind = (): Kind => ({
  runs: [],
  forecast: undefined,
  pending: [],
  readAt: Number.NEGATIVE_INFINITY,
});

function setRuns(kind: Kind, runs: PastRun[]): void {
  kind.runs = runs.slice(0, KEPT_RUNS);
  kind.forecast = undefined;
}
