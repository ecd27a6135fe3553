import { parentPort, threadId, workerData } from 'node:worker_threads';
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
import { MemoryWatch } from './memory.js';
import { openPeer, type Peer } from './peer.js';
import type { Leftover, TaskOutcome, ThreadSetup, ThreadTask } from './task.js';

/** The longest timeout. The main thread counts the grace time of a run and then terminates this thread. */
const GRACE_MS = 2 ** 31 - 1;

const { files, limits, basePath, clock } = workerData as ThreadSetup;
shareServerClock(clock);
const store = openFileStore(files);

// A thread runs one job after another: an uncaught error of an earlier job must not fail the next one.
keepMicrotaskOwners();
claimUncaught({
  log: {
    warn({ err, jobId }: { err: unknown; jobId: string }, message: string) {
      parentPort?.postMessage({ jobId, error: packError(err), message } satisfies Leftover);
    },
  },
});

/** Runs one attempt of a job in a thread of the pool, with the same context as in the main thread. */
export default async function runTask(task: ThreadTask): Promise<void> {
  const run = new Run(task.jobId, GRACE_MS);
  const children = new ChildCalls();
  const acks = new Acknowledgements();
  const peer = openPeer(task.port, {
    stop(why: StopReason['why'], message: string, cause?: PackedError) {
      run.stop(new StopReason(why, message, cause ? { cause: unpackError(cause) } : {}));
    },
    ...children.handlers,
    ...acks.handlers,
  });
  const main = receiving(peer);
  run.signal.addEventListener('abort', () => {
    const { why, message, cause } = run.signal.reason as StopReason;
    if (why === 'uncaught') main.notify('uncaught', message, packError(cause));
  });
  const outcome: TaskOutcome = await run
    .do(() => perform(task, main, { children, acks }, run.signal))
    .then(
      (result) => ({ result }),
      (error) => ({ error: packError(error) }),
    );
  try {
    await main.call('finish', outcome).catch((error) => {
      const why = new Error(`the result cannot be sent from its thread: ${error.message}`);
      return main.call('finish', { error: packError(why) } satisfies TaskOutcome);
    });
  } finally {
    main.close();
  }
}

async function perform(
  task: ThreadTask,
  main: Peer,
  { children, acks }: { children: ChildCalls; acks: Acknowledgements },
  signal: AbortSignal,
): Promise<unknown> {
  const { file, jobId, attempt, data, memoryMb, workspace } = task;
  // Timers and promises that a job file creates while it is loaded do not belong to this run.
  const definition = await currentRun.exit(() => loadDefinition(file));
  const input = await validate(definition.input, data);
  if (input.errors) throw new PermanentError(`invalid job data: ${explain(input.errors)}`);
  // Throws if the run was stopped. From here on the thread may be terminated.
  await main.call('begin', threadId);
  const memory = new MemoryWatch(memoryMb, () => main.notify('outOfMemory'));
  const reporting = createReporting({
    jobId,
    attempt,
    stages: definition.stages,
    events: definition.events,
    limits,
    files: jobFiles(store, jobId, basePath, workspace === undefined ? undefined : { path: workspace }),
    sink: sinkTo(main, acks, memory),
  });
  try {
    const child = children.start(main, reporting.bar, signal);
    return await definition.run(input.value as never, { ...reporting.context(signal), child });
  } finally {
    memory.end();
    await reporting.flush();
  }
}

/** Makes a peer handle received messages with every call, so that a busy loop notices its abort. */
function receiving(peer: Peer): Peer {
  return {
    ...peer,
    notify(name, ...args) {
      peer.notify(name, ...args);
      peer.receive();
    },
    call(name, ...args) {
      const called = peer.call(name, ...args);
      peer.receive();
      return called;
    },
  };
}

/** Callbacks to call once Redis has a report, by number. */
class Acknowledgements {
  private readonly calls = new Map<number, () => void>();
  private last = 0;

  readonly handlers = {
    taken: (number: number) => {
      this.calls.get(number)?.();
      this.calls.delete(number);
    },
  };

  /** @returns the number with which the other side acknowledges the report; 0 without a callback */
  add(onDone: (() => void) | undefined): number {
    if (!onDone) return 0;
    this.calls.set(++this.last, onDone);
    return this.last;
  }
}

/** The report sink in the main thread. */
function sinkTo(main: Peer, acks: Acknowledgements, memory: MemoryWatch): ReportSink {
  function notify(name: string, ...args: unknown[]): undefined {
    memory.check();
    main.notify(name, ...args);
  }
  return {
    progress: (data, reports) => notify('progress', data, reports),
    bullMqProgress: (data) => notify('bullMqProgress', data),
    event: (name, json, onDone) => notify('event', acks.add(onDone), name, json),
    bullMqLog: (line, onDone) => notify('bullMqLog', acks.add(onDone), line),
    lost: (count) => notify('lost', count),
    warn: (message) => notify('warn', message),
    watchers: () => main.call('watchers') as Promise<number>,
    poll() {
      memory.check();
      main.receive();
    },
    delivered: () => main.call('delivered'),
    drop: () => {},
  };
}
