import { UnrecoverableError } from 'bullmq';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { explain, validate } from '../../shared/jobs/schema.js';

/**
 * A job's data as its `run` gets them.
 * @throws UnrecoverableError for data that do not fit
 */
export async function checkInput(definition: JobDefinition, data: unknown): Promise<unknown> {
  const input = await validate(definition.input, data);
  if (input.errors) {
    throw new UnrecoverableError(`the data does not fit the job: ${explain(input.errors)}`);
  }
  return input.value;
}

/**
 * What a job's `run` gave, as it is kept.
 * @throws UnrecoverableError for a result that does not fit
 */
export async function checkResult(definition: JobDefinition, returned: unknown): Promise<unknown> {
  const result = await validate(definition.result, returned ?? null);
  if (result.errors) {
    throw new UnrecoverableError(`the result does not fit the job's schema: ${explain(result.errors)}`);
  }
  return result.value ?? null;
}
