import { PermanentError } from '../../../shared/errors.js';
import type { ChildOptions, JobDefinition } from '../../../shared/jobs/definition.js';
import { type JobOptions, optionsSchema } from '../../../shared/jobs/options.js';
import { addressOf, type QueuePlan } from '../../../shared/jobs/queues.js';
import type { Registry } from '../../../shared/jobs/registry.js';
import { validate } from '../../../shared/jobs/schema.js';
import { isWeight } from '../../reporting/weight.js';

const MAX_KEY = 200;

/** What a call of `ctx.child` asks for, as far as it can be said without looking at its data. */
export interface ChildRequest {
  definition: JobDefinition;
  queue: string;
  weight: number;
  onFailure: NonNullable<ChildOptions['onFailure']>;
}

/**
 * Looks at a call of `ctx.child`.
 * @param above the ids of the jobs above the child, its parent's last
 * @throws PermanentError that says what is wrong with it
 */
export function childRequest(
  registry: Registry,
  plan: QueuePlan,
  above: string[],
  name: string,
  { weight = 1, key, onFailure = 'reject' }: ChildOptions,
): ChildRequest {
  const definition = registry.get(name);
  if (!definition) {
    const known = [...registry.keys()].sort().join(', ');
    throw new PermanentError(
      `no job is named "${String(name)}", so it cannot be a child; there are: ${known}`,
    );
  }
  if (!isWeight(weight)) {
    throw new PermanentError(`the weight of a child must be a positive number, not ${String(weight)}`);
  }
  if (key !== undefined && (typeof key !== 'string' || key === '' || key.length > MAX_KEY)) {
    throw new PermanentError(`the key of a child has 1 to ${MAX_KEY} characters`);
  }
  if (!['reject', 'ignore', 'fail'].includes(onFailure)) {
    throw new PermanentError(`onFailure of a child is reject, ignore or fail, not ${String(onFailure)}`);
  }
  const queue = plan.of(name);
  const holder = above.find((id) => addressOf(id)?.queue === queue);
  if (holder) {
    throw new PermanentError(
      `a child of the kind "${name}" would wait in the queue "${queue}", in which ${holder} holds a place until the child has ended: name another queue in the definition of one of the two`,
    );
  }
  return { definition, queue, weight, onFailure };
}

/**
 * Checks what is to be queued, as the API does for a start.
 * @throws PermanentError that says what is wrong, and where
 */
export async function checkChild(
  { name, input }: JobDefinition,
  data: unknown,
  given: ChildOptions['options'],
): Promise<JobOptions> {
  const fits = await validate(input, data);
  if (fits.errors) throw unfit(`the data of the child ${name}`, fits.errors);
  const options = await validate(optionsSchema, given ?? {});
  if (options.errors) throw unfit(`the options of the child ${name}`, options.errors);
  if (options.value.deduplicationKey !== undefined) {
    throw new PermanentError('a child has a key of its own, not a deduplicationKey');
  }
  return options.value;
}

const unfit = (what: string, errors: Array<{ pointer: string; detail: string }>): PermanentError =>
  new PermanentError(
    `${what}: ${errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ')}`,
  );
