import { MessageChannel } from 'node:worker_threads';
import type { JobDefinition } from '../../../shared/jobs/definition.js';
import { definitionFile } from '../../../shared/jobs/registry.js';
import { Newest } from '../../reporting/newest.js';
import type { ReportSink } from '../../reporting/sink.js';
import type { StartChild } from '../children/children.js';
import { checkInput } from '../contract.js';
import type { Execution } from '../execution.js';
import { StopReason } from '../run.js';
import { remotePart } from './child-calls.js';
import { type PackedError, packError, unpackError } from './errors.js';
import { openPeer, type Peer } from './peer.js';
import type { Threads } from './pool.js';
import type { TaskOutcome } from './task.js';

/** What a job gives to `ctx.child`. */
type ChildArguments = Parameters<StartChild> extends [unknown, ...infer A] ? A : never;

export interface ThreadExecutionOptions {
  jobId: string;
  attempt: number;
  sink: ReportSink;
  threads: Threads;
}

/**
 * Runs a job in a thread of the pool. What it reports is put together there and comes over a port, ready to be
 * published; so does whatever else of its context needs this process.
 */
export function createThreadExecution(
  definition: JobDefinition,
  { jobId, attempt, sink, threads }: ThreadExecutionOptions,
): Execution {
  const { port1, port2 } = new MessageChannel();
  const onLost = (error: unknown): void => sink.warn(`what a thread said could not be published: ${error}`);
  // The thread does not wait for its progress to land: it may be too busy to hear of it.
  const progress = new Newest(sink.progress, onLost);
  const bullMqProgress = new Newest(sink.bullMqProgress, onLost);
  const landed = () => Promise.all([progress.landed(), bullMqProgress.landed(), sink.landed()]);
  /** Says that what the thread put under a number was taken. */
  const taken = (number: number) => (number > 0 ? () => peer.tell('taken', number) : undefined);
  let outcome: TaskOutcome | undefined;
  let mayBegin!: () => Promise<void>;
  let child!: (call: number, ...args: ChildArguments) => Promise<unknown>;
  let stop!: (reason: StopReason) => void;
  // What a method of the context needs of this process is offered here, and called in the thread's entry.
  const peer: Peer = openPeer(port1, {
    progress: (data: Parameters<ReportSink['progress']>[0]) => progress.put(data),
    bullMqProgress: (data: Parameters<ReportSink['bullMqProgress']>[0]) => bullMqProgress.put(data),
    event: (number: number, name: string, json: string) => sink.event(name, json, taken(number)),
    bullMqLog: (number: number, line: string) => sink.bullMqLog(line, taken(number)),
    landed,
    warn: (message: string) => sink.warn(message),
    watchers: () => sink.watchers(),
    begin: () => mayBegin(),
    child: (call: number, ...args: ChildArguments) => child(call, ...args),
    uncaught: (message: string, cause: PackedError) =>
      stop(new StopReason('uncaught', message, { cause: unpackError(cause) })),
    finish(what: TaskOutcome) {
      outcome = what;
    },
  });

  return {
    async run(data, run, begin, startChild) {
      // The thread does so again, for its own: what a schema makes of data may be more than a message can carry.
      await checkInput(definition, data);
      const kill = new AbortController();
      const place = threads.place(run.signal);
      child = (call, ...args) => place.leaveFor(startChild(remotePart(peer, call), ...args));
      const onStop = (): void => {
        const { why, message, cause } = run.signal.reason as StopReason;
        peer.tell('stop', why, message, cause && packError(cause));
      };
      run.signal.addEventListener('abort', onStop, { once: true });
      stop = (reason) => run.stop(reason);
      mayBegin = async () => {
        run.signal.throwIfAborted();
        // Not before: to end a thread that still loads its modules can end the whole process (Node 20).
        run.ended.addEventListener('abort', () => kill.abort(), { once: true });
        await begin();
      };
      try {
        const task = { file: definitionFile(definition), jobId, attempt, data, port: port2 };
        await threads.run(task, place, kill.signal);
      } catch (error) {
        run.signal.throwIfAborted();
        if (!outcome) throw new Error(whyLost(error), { cause: error });
      } finally {
        run.signal.removeEventListener('abort', onStop);
      }
      if (!outcome) throw new Error('the thread of the job ended without a result');
      if ('error' in outcome) throw unpackError(outcome.error);
      return outcome.result;
    },
    async flush() {
      peer.receive();
      peer.close();
      await landed();
    },
    drop() {
      peer.close();
      sink.drop();
    },
  };
}

/** Why a thread came to its end before its job, in words. */
function whyLost(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return 'the thread of the job ran out of memory';
  const exit = /^worker exited with code: (\d+)/.exec(message)?.[1];
  if (exit !== undefined) return `the thread of the job was ended in its middle (exit code ${exit})`;
  return `an error that nobody caught ended the thread of the job: ${message}`;
}
