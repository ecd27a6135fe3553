import { UnrecoverableError } from 'bullmq';
import type { JobDefinition } from '../../shared/jobs/definition.js';
import { ANONYMOUS_CALLER, isVisitor, limitErrors } from '../../shared/jobs/limits.js';
import { explain, validate } from '../../shared/jobs/schema.js';
import type { JobSettings } from '../../shared/jobs/settings.js';

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
 * Checks the data of a visitor's scheduled run against the limits of its kind. The API checked the schedule when it was
 * made, but the limits may have become stricter since.
 * @throws UnrecoverableError if the data exceeds a limit
 */
export async function checkScheduledData(
  definition: JobDefinition,
  data: unknown,
  { schedule, owner }: JobSettings,
): Promise<void> {
  if (!schedule || !definition.limits || !isVisitor(owner)) return;
  const errors = await limitErrors(definition, data, ANONYMOUS_CALLER);
  if (errors.length > 0) throw new UnrecoverableError(`the job exceeds a limit: ${explain(errors)}`);
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
