import type { ChildOptions, JobContext, JobDefinition } from '../../shared/jobs/definition.js';
import { kindName } from '../../shared/jobs/kind.js';
import { createReporting, type ReportingOptions } from '../reporting/context.js';
import type { Deliver } from '../webhooks/deliver.js';
import type { StartChild } from './children/children.js';
import { checkInput } from './contract.js';
import type { Run } from './run.js';

/** Services for built-in jobs with `internal: true`. */
export interface InternalServices {
  deliverWebhook: Deliver;
}

/** The context of a run of such a job. */
export type InternalContext = JobContext & { services: InternalServices };

/** One attempt of a job, in the main thread or in a thread of the pool. */
export interface Execution {
  /**
   * Runs the job's definition.
   * @param data the data of the job in BullMQ
   * @param begin called right before the code of the job runs, after any wait for a thread. If it throws, the code does
   *   not run
   * @param startChild implements `ctx.child`
   * @returns the return value of the definition's `run`
   */
  run(data: unknown, run: Run, begin: () => Promise<void>, startChild: StartChild): Promise<unknown>;
  /** Ends reporting and resolves when Redis has all reports. Later reports of the run are discarded. */
  flush(): Promise<void>;
  /** Ends reporting and discards reports that were not sent yet. */
  drop(): void;
}

export interface LocalExecutionOptions extends Omit<ReportingOptions, 'stages' | 'events'> {
  /** For built-in jobs with `internal: true`. */
  services?: InternalServices | undefined;
}

/** Creates the execution of a job in this thread. */
export function createLocalExecution(
  definition: JobDefinition,
  { services, ...options }: LocalExecutionOptions,
): Execution {
  const reporting = createReporting({ ...options, stages: definition.stages, events: definition.events });
  return {
    async run(data, run, begin, startChild) {
      const input = await checkInput(definition, data);
      await begin();
      const child = ((job: Parameters<typeof kindName>[0], data: unknown, given?: ChildOptions) =>
        startChild(reporting.bar(), kindName(job), data, given)) as JobContext['child'];
      const context: JobContext = { ...reporting.context(run.signal), child };
      return definition.run(input as never, services ? ({ ...context, services } as JobContext) : context);
    },
    flush: () => reporting.flush(),
    drop: () => reporting.drop(),
  };
}
