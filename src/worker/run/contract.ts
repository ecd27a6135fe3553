import { UnrecoverableError } from 'bullmq';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { explain, validate } from '../../shared/jobs/schema.js';

/**
 * Validates the data of a job and returns the input for its `run`.
 * @throws UnrecoverableError if the data is invalid
 */
export async function checkInput(definition: JobDefinition, data: unknown): Promise<unknown> {
  const input = await validate(definition.input, data);
  if (input.errors) {
    throw new UnrecoverableError(`invalid job data: ${explain(input.errors)}`);
  }
  return input.value;
}

/**
 * Validates what the `run` of a job returned and returns the result to store.
 * @throws UnrecoverableError if the result is invalid
 */
export async function checkResult(definition: JobDefinition, returned: unknown): Promise<unknown> {
  const result = await validate(definition.result, returned ?? null);
  if (result.errors) {
    throw new UnrecoverableError(`invalid job result: ${explain(result.errors)}`);
  }
  return result.value ?? null;
}
