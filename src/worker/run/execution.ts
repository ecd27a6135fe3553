import type { JobContext, JobDefinition } from '../../shared/jobs/definition.js';
import { createReporting, type ReportingOptions } from '../reporting/context.js';
import type { StartChild } from './children/children.js';
import { checkInput } from './contract.js';
import type { InternalServices } from './internal.js';
import type { Run } from './run.js';

/** One attempt at a job, wherever it runs. */
export interface Execution {
  /**
   * Runs the job's definition.
   * @param data of the job, as BullMQ has them
   * @param begin called right before the job's own code begins, which may have to wait for a thread; what it throws keeps
   *   that from beginning
   * @param startChild what `ctx.child` does
   * @returns what the definition's `run` gives
   */
  run(data: unknown, run: Run, begin: () => Promise<void>, startChild: StartChild): Promise<unknown>;
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
    async run(data, run, begin, startChild) {
      const input = await checkInput(definition, data);
      await begin();
      const child = ((...call) => startChild(reporting.bar(), ...call)) as JobContext['child'];
      const context: JobContext = { ...reporting.context(run.signal), child };
      return definition.run(input as never, services ? ({ ...context, services } as JobContext) : context);
    },
    flush: () => reporting.flush(),
    drop: () => reporting.drop(),
  };
}
