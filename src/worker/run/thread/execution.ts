import { MessageChannel } from 'node:worker_threads';
import type { JobDefinition } from '../../../shared/jobs/definition.js';
import { definitionFile } from '../../../shared/jobs/registry.js';
import { tracing } from '../../../shared/tracing/tracing.js';
import { Newest } from '../../reporting/newest.js';
import type { ReportSink } from '../../reporting/sink.js';
import type { StartChild } from '../children/children.js';
import { checkInput } from '../contract.js';
import type { Execution } from '../execution.js';
import { StopReason } from '../run.js';
import { remotePart } from './child-calls.js';
import { type PackedError, packError, unpackError } from './errors.js';
import { watchThread } from './memory.js';
import { openPeer, type Peer } from './peer.js';
import type { Threads } from './pool.js';
import type { TaskOutcome } from './task.js';

/** Arguments of `ctx.child`. */
type ChildArguments = Parameters<StartChild> extends [unknown, ...infer A] ? A : never;

type Progress = Parameters<ReportSink['progress']>[0];

export interface ThreadExecutionOptions {
  jobId: string;
  attempt: number;
  /** The memory of kinds that set none, in MiB. */
  memoryMb: number;
  sink: ReportSink;
  /** The folder for copies of files. `undefined` if none are needed. */
  workspace?: string | undefined;
  threads: Threads;
}

/**
 * Creates the execution of a job in a thread of the pool. Reports are prepared in the thread and arrive over a port,
 * ready to be published. Other methods of the context that need the main thread are calls over the same port.
 */
export function createThreadExecution(
  definition: JobDefinition,
  { jobId, attempt, memoryMb: defaultMemoryMb, sink, workspace, threads }: ThreadExecutionOptions,
): Execution {
  const { port1, port2 } = new MessageChannel();
  const { memoryMb = defaultMemoryMb } = definition;
  const outOfMemory = (): StopReason =>
    new StopReason('memory', `exceeded its memory limit of ${memoryMb} MiB`);
  const onLost = (error: unknown): void => sink.warn(`could not publish a report of a thread: ${error}`);
  // The thread does not wait for its progress to be published: it may be too busy to handle the reply.
  /** Reports of the thread since the last progress that was published, for the metrics. */
  let reports = 0;
  const progress = new Newest<Progress>((data) => {
    const all = reports;
    reports = 0;
    return sink.progress(data, all);
  }, onLost);
  const bullMqProgress = new Newest(sink.bullMqProgress, onLost);
  const delivered = () => Promise.all([progress.delivered(), bullMqProgress.delivered(), sink.delivered()]);
  /** Returns a callback that acknowledges a report to the thread, by its number. */
  const taken = (number: number) => (number > 0 ? () => peer.notify('taken', number) : undefined);
  let outcome: TaskOutcome | undefined;
  let mayBegin!: (threadId: number) => Promise<void>;
  let child!: (call: number, ...args: ChildArguments) => Promise<unknown>;
  let stop!: (reason: StopReason) => void;
  const kill = new AbortController();
  const endOutOfMemory = (): void => {
    stop(outOfMemory());
    // At once: with the time to clean up, it could exhaust the memory of the machine.
    kill.abort();
  };
  // Handlers for the context in `entry.ts`.
  const peer: Peer = openPeer(port1, {
    progress(data: Progress, count: number) {
      reports += count;
      progress.put(data);
    },
    lost: (count: number) => sink.lost(count),
    bullMqProgress: (data: Parameters<ReportSink['bullMqProgress']>[0]) => bullMqProgress.put(data),
    event: (number: number, name: string, json: string) => sink.event(name, json, taken(number)),
    bullMqLog: (number: number, line: string) => sink.bullMqLog(line, taken(number)),
    delivered,
    warn: (message: string) => sink.warn(message),
    watchers: () => sink.watchers(),
    begin: (threadId: number) => mayBegin(threadId),
    child: (call: number, ...args: ChildArguments) => child(call, ...args),
    uncaught: (message: string, cause: PackedError) =>
      stop(new StopReason('uncaught', message, { cause: unpackError(cause) })),
    outOfMemory: () => endOutOfMemory(),
    finish(what: TaskOutcome) {
      outcome = what;
    },
  });

  return {
    async run(data, run, begin, startChild) {
      // The thread validates again, because the output of a schema may not be cloneable.
      await checkInput(definition, data);
      const permit = threads.permit(run.signal);
      const start: typeof child = (call, ...args) =>
        permit.releaseWhile(startChild(remotePart(peer, call), ...args));
      // Whether the messages of a port keep the context of the attempt depends on the version of Node.
      child = tracing()?.bind(start) ?? start;
      const onStop = (): void => {
        const { why, message, cause } = run.signal.reason as StopReason;
        peer.notify('stop', why, message, cause && packError(cause));
      };
      run.signal.addEventListener('abort', onStop, { once: true });
      stop = (reason) => run.stop(reason);
      let endWatch = (): void => {};
      mayBegin = async (threadId) => {
        run.signal.throwIfAborted();
        // Not earlier: terminating a thread that is still loading modules can crash the process (Node 20).
        run.ended.addEventListener('abort', () => kill.abort(), { once: true });
        endWatch = watchThread(() => threads.buffersOf(threadId), memoryMb, endOutOfMemory);
        await begin();
      };
      try {
        const task = {
          file: definitionFile(definition),
          jobId,
          attempt,
          data,
          memoryMb,
          workspace,
          port: port2,
        };
        await threads.run(task, permit, kill.signal);
      } catch (error) {
        run.signal.throwIfAborted();
        if (isOutOfMemory(error)) throw outOfMemory();
        if (!outcome) throw new Error(exitReason(error), { cause: error });
      } finally {
        endWatch();
        run.signal.removeEventListener('abort', onStop);
      }
      if (!outcome) throw new Error('the thread of the job ended without a result');
      if ('error' in outcome) throw unpackError(outcome.error);
      return outcome.result;
    },
    async flush() {
      peer.receive();
      peer.close();
      await delivered();
    },
    drop() {
      peer.close();
      sink.drop();
    },
  };
}

/** Whether a thread ended because its JavaScript objects exceeded the limit. */
const isOutOfMemory = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';

/** Returns why a thread ended before its job. */
function exitReason(error: unknown): string {
  const { message } = error as Error;
  const exit = /^worker exited with code: (\d+)/.exec(message)?.[1];
  if (exit !== undefined) return `the thread of the job exited with code ${exit}`;
  return `an uncaught error ended the thread of the job: ${message}`;
}
