import { parentPort, workerData } from 'node:worker_threads';
import { PermanentError } from '../../../shared/errors.js';
import { openFileStore } from '../../../shared/files/store.js';
import { loadDefinition } from '../../../shared/jobs/registry.js';
import { explain, validate } from '../../../shared/jobs/schema.js';
import { shareServerClock } from '../../../shared/redis/server-clock.js';
import { createReporting } from '../../reporting/context.js';
import type { ReportSink } from '../../reporting/sink.js';
import { jobFiles } from '../job-files.js';
import { currentRun, Run, StopReason } from '../run.js';
import { claimUncaught, keepMicrotaskOwners } from '../uncaught.js';
import { ChildCalls } from './child-calls.js';
import { type PackedError, packError, unpackError } from './errors.js';
import { openPeer, type Peer } from './peer.js';
import type { Leftover, TaskOutcome, ThreadSetup, ThreadTask } from './task.js';

/** The main thread counts the grace time of a run, and then ends this thread. This is the longest time of a timer. */
const GRACE_MS = 2 ** 31 - 1;

const { files, limits, basePath, clock } = workerData as ThreadSetup;
shareServerClock(clock);
const store = openFileStore(files);

// A thread works on one job after another: what one has left behind must not fail the next.
keepMicrotaskOwners();
claimUncaught({
  log: {
    warn({ err, jobId }: { err: unknown; jobId: string }, message: string) {
      parentPort?.postMessage({ jobId, error: packError(err), message } satisfies Leftover);
    },
  },
});

/** What a thread of the pool does: one attempt at a job, with the context that it would have in the main thread. */
export default async function runTask(task: ThreadTask): Promise<void> {
  const run = new Run(task.jobId, GRACE_MS);
  const children = new ChildCalls();
  const takings = new Takings();
  const peer = openPeer(task.port, {
    stop(why: StopReason['why'], message: string, cause?: PackedError) {
      run.stop(new StopReason(why, message, cause ? { cause: unpackError(cause) } : {}));
    },
    ...children.offered,
    ...takings.offered,
  });
  const main = attentive(peer);
  run.signal.addEventListener('abort', () => {
    const { why, message, cause } = run.signal.reason as StopReason;
    if (why === 'uncaught') main.tell('uncaught', message, packError(cause));
  });
  const outcome: TaskOutcome = await run
    .do(() => perform(task, main, { children, takings }, run.signal))
    .then(
      (result) => ({ result }),
      (error) => ({ error: packError(error) }),
    );
  try {
    await main.call('finish', outcome).catch((error) => {
      const why = new Error(`the result cannot leave its thread: ${error.message}`);
      return main.call('finish', { error: packError(why) } satisfies TaskOutcome);
    });
  } finally {
    main.close();
  }
}

async function perform(
  task: ThreadTask,
  main: Peer,
  { children, takings }: { children: ChildCalls; takings: Takings },
  signal: AbortSignal,
): Promise<unknown> {
  const { file, jobId, attempt, data } = task;
  // What a file begins while it is loaded is not of this run alone.
  const definition = await currentRun.exit(() => loadDefinition(file));
  const input = await validate(definition.input, data);
  if (input.errors) throw new PermanentError(`the data does not fit the job: ${explain(input.errors)}`);
  // Whether this run is still wanted. From now on this thread may be ended by force.
  await main.call('begin');
  const reporting = createReporting({
    jobId,
    attempt,
    stages: definition.stages,
    limits,
    files: jobFiles(store, jobId, basePath),
    sink: sinkTo(main, takings),
  });
  try {
    const child = children.start(main, reporting.bar, signal);
    return await definition.run(input.value as never, { ...reporting.context(signal), child });
  } finally {
    await reporting.flush();
  }
}

/** With everything that is said we hear too, so that a busy loop learns of its abort. */
function attentive(peer: Peer): Peer {
  return {
    ...peer,
    tell(name, ...args) {
      peer.tell(name, ...args);
      peer.receive();
    },
    call(name, ...args) {
      const called = peer.call(name, ...args);
      peer.receive();
      return called;
    },
  };
}

/** Calls that wait for what they put to be taken, by number. */
class Takings {
  private readonly calls = new Map<number, () => void>();
  private last = 0;

  readonly offered = {
    taken: (number: number) => {
      this.calls.get(number)?.();
      this.calls.delete(number);
    },
  };

  /** @returns the number under which the other side says that it was taken; 0 for nobody who waits */
  add(onTaken: (() => void) | undefined): number {
    if (!onTaken) return 0;
    this.calls.set(++this.last, onTaken);
    return this.last;
  }
}

/** The outlet in the main thread. */
function sinkTo(main: Peer, takings: Takings): ReportSink {
  const tell = (name: string, ...args: unknown[]): undefined => void main.tell(name, ...args);
  return {
    progress: (data) => tell('progress', data),
    bullMqProgress: (data) => tell('bullMqProgress', data),
    event: (name, json, onTaken) => tell('event', takings.add(onTaken), name, json),
    bullMqLog: (line, onTaken) => tell('bullMqLog', takings.add(onTaken), line),
    warn: (message) => tell('warn', message),
    watchers: () => main.call('watchers') as Promise<number>,
    poll: () => main.receive(),
    landed: () => main.call('landed'),
    drop: () => {},
  };
}
