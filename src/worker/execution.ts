import type { JobContext, JobDefinition } from '../shared/job.js';
import { refuseChild } from './children/refuse.js';
import { checkInput } from './contract.js';
import type { InternalServices } from './internal.js';
import { createReporting, type Reporting, type ReportingOptions } from './reporting.js';
import type { Run } from './run.js';

/** What a run says on behalf of its children. */
export type ParentReporting = Pick<Reporting, 'part' | 'childFailed' | 'warn'>;

/** One attempt at a job, wherever it runs. */
export interface Execution {
  /**
   * Runs the job's definition.
   * @param data of the job, as BullMQ has them
   * @param begin called when the run begins: it may have to wait for a thread
   * @param child what `ctx.child` does; only for one with a `parent`
   * @returns what the definition's `run` gives
   */
  run(data: unknown, run: Run, begin: () => void, child?: JobContext['child']): Promise<unknown>;
  /** How its children report; `undefined` where it can have none. */
  parent?: ParentReporting;
  /** Ends it: resolves when Redis has everything that was said. What the run still says is thrown away. */
  flush(): Promise<void>;
  /** Ends it and forgets what was not sent yet. */
  drop(): void;
}

/**
 * Runs a job in this thread.
 * @param options.services for a job of Headway's own
 */
export function createLocalExecution(
  definition: JobDefinition,
  { services, ...options }: Omit<ReportingOptions, 'stages'> & { services?: InternalServices | undefined },
): Execution {
  const reporting = createReporting({ ...options, stages: definition.stages });
  return {
    parent: reporting,
    async run(data, run, begin, child = refuseChild) {
      const input = await checkInput(definition, data);
      begin();
      const context: JobContext = { ...reporting.context(run.signal), child };
      return definition.run(input as never, services ? ({ ...context, services } as JobContext) : context);
    },
    flush: () => reporting.flush(),
    drop: () => reporting.drop(),
  };
}
