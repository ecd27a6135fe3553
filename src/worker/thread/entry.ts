import { workerData } from 'node:worker_threads';
import { PermanentError } from '../../shared/errors.js';
import { jobFiles } from '../../shared/files/job-files.js';
import { openFileStore } from '../../shared/files/store.js';
import { loadDefinition } from '../../shared/registry.js';
import { explain, validate } from '../../shared/schema.js';
import { refuseChild } from '../children/refuse.js';
import type { Outlet } from '../outlet.js';
import { createReporting } from '../reporting.js';
import { StopReason } from '../run.js';
import { packError } from './errors.js';
import { openPeer, type Peer } from './peer.js';
import type { Outcome, ThreadSetup, ThreadTask } from './task.js';

const { files, limits } = workerData as ThreadSetup;
const store = openFileStore(files);

/** What a thread of the pool does: one attempt at a job, with the context that it would have in the main thread. */
export default async function runTask(task: ThreadTask): Promise<void> {
  const stopping = new AbortController();
  const main = openPeer(task.port, {
    stop: (why: StopReason['why'], message: string) => stopping.abort(new StopReason(why, message)),
  });
  const outcome: Outcome = await perform(task, main, stopping.signal).then(
    (result) => ({ result }),
    (error) => ({ error: packError(error) }),
  );
  try {
    await main.call('finish', outcome).catch((error) => {
      const why = new Error(`the result cannot leave its thread: ${error.message}`);
      return main.call('finish', { error: packError(why) } satisfies Outcome);
    });
  } finally {
    main.close();
  }
}

async function perform(task: ThreadTask, main: Peer, signal: AbortSignal): Promise<unknown> {
  const { file, jobId, attempt, data } = task;
  const definition = await loadDefinition(file);
  const input = await validate(definition.input, data);
  if (input.errors) throw new PermanentError(`the data does not fit the job: ${explain(input.errors)}`);
  // Whether this run is still wanted. From now on this thread may be ended by force.
  await main.call('begin');
  const reporting = createReporting({
    jobId,
    attempt,
    stages: definition.stages,
    limits,
    files: jobFiles(store, jobId),
    outlet: outletTo(main),
  });
  try {
    return await definition.run(input.value as never, { ...reporting.context(signal), child: refuseChild });
  } finally {
    await reporting.flush();
  }
}

/** The outlet in the main thread. With everything that is said we hear too, so that a busy loop learns of its abort. */
function outletTo(main: Peer): Outlet {
  const tell = (name: string, ...args: unknown[]): undefined => {
    main.tell(name, ...args);
    main.receive();
  };
  const call = (name: string, ...args: unknown[]): Promise<unknown> => {
    const called = main.call(name, ...args);
    main.receive();
    return called;
  };
  return {
    progress: (data) => tell('progress', data),
    bullMqProgress: (data) => tell('bullMqProgress', data),
    event: (name, json) => call('event', name, json),
    bullMqLog: (line) => call('bullMqLog', line),
    warn: (message) => tell('warn', message),
  };
}
