import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { JobContext, JobDefinition, JobFiles, LogLevel } from '../shared/jobs/definition.js';
import { explain, validate } from '../shared/jobs/schema.js';
import type { EventSchemas, EventValues, JobInput, JobResult } from '../shared/jobs/types.js';
import { serverNow } from '../shared/redis/server-clock.js';
import { CustomEvents } from './reporting/custom-events.js';
import { createProgress, type ProgressData } from './reporting/progress.js';

export type { ProgressData } from './reporting/progress.js';

/** A custom event that a job sent. */
export type SentEvent<E> = [keyof EventValues<E>] extends [never]
  ? { event: string; data: unknown }
  : { [K in keyof EventValues<E> & string]: { event: K; data: EventValues<E>[K] } }[keyof EventValues<E> &
      string];

/** What a job has done. */
export interface JobRun<R, E> {
  result: R;
  /** What viewers would see after each report of progress that changes something. */
  progress: ProgressData[];
  /** The custom events, in order. */
  events: Array<SentEvent<E>>;
  logs: Array<{ level: LogLevel; message: string; fields?: Record<string, unknown> }>;
  /** The pieces of the result that were published before the end. */
  partials: unknown[];
}

/** Options of {@link runJob}. */
export interface RunJobOptions {
  /** Abort it to test what the job does when it is cancelled. */
  signal?: AbortSignal;
  /** The number of the attempt. Defaults to 1. */
  attempt?: number;
  /** What the job gets as `ctx.files`. Without it, a job that uses files fails. */
  files?: JobFiles;
}

/**
 * Runs a job in this process, without Redis and without a worker, and returns what it has reported. For tests. Data, result
 * and custom events are checked against the schemas of the definition. `ctx.child` runs a child in the same way.
 * @throws Error if the data or the result is invalid, and whatever the job throws
 */
export async function runJob<I extends StandardSchemaV1, O extends StandardSchemaV1, E extends EventSchemas>(
  definition: JobDefinition<I, O, E>,
  data: JobInput<I>,
  { signal = new AbortController().signal, attempt = 1, files = noFiles }: RunJobOptions = {},
): Promise<JobRun<JobResult<O>, E>> {
  const { name, stages } = definition;
  const jobId = `${name}.test`;
  const state = createProgress({ jobId, attempt, stages });
  const run: Omit<JobRun<unknown, EventSchemas>, 'result'> = {
    progress: [],
    events: [],
    logs: [],
    partials: [],
  };
  const publish = (event: string, json: string): void => {
    run.events.push({ event, data: JSON.parse(json).data });
  };
  const custom = new CustomEvents({ jobId, attempt }, publish, definition.events);
  const ctx: Omit<JobContext, 'child'> & { child(job: unknown, data: unknown): Promise<unknown> } = {
    jobId,
    attempt,
    signal,
    files,
    async progress(update) {
      const now = serverNow();
      if (state.update(update, now).changed) run.progress.push(state.snapshot(now));
    },
    stage: (stage, options) => state.stage(stage, serverNow(), options?.weight),
    async log(levelOrMessage: string, message?: string, fields?: Record<string, unknown>) {
      const level = message === undefined ? 'info' : (levelOrMessage as LogLevel);
      run.logs.push({ level, message: message ?? levelOrMessage, ...(fields ? { fields } : {}) });
    },
    async emit(type, value) {
      custom.emit(type, value);
    },
    async partial(chunk) {
      run.partials.push(chunk);
    },
    async watchers() {
      return 0;
    },
    async child(job, childData) {
      if (typeof job === 'string') throw new Error(`runJob() needs the definition of the child "${job}"`);
      return (await runJob(job as JobDefinition, childData, { signal, files })).result;
    },
  };
  const input = await checked(definition.input, data, 'job data');
  const returned = await definition.run(input as never, ctx as JobContext as never);
  const result = await checked(definition.result, returned ?? null, 'job result');
  return { ...run, result: JSON.parse(JSON.stringify(result ?? null)) } as JobRun<JobResult<O>, E>;
}

async function checked(schema: StandardSchemaV1, value: unknown, what: string): Promise<unknown> {
  const { value: valid, errors } = { value: undefined, ...(await validate(schema, value)) };
  if (errors) throw new Error(`invalid ${what}: ${explain(errors)}`);
  return valid;
}

const refuse = async (): Promise<never> => {
  throw new Error('the job uses files: give runJob() the option `files`');
};
const noFiles: JobFiles = { open: refuse, read: refuse, create: refuse, remove: refuse };
