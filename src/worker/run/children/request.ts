import { createHash } from 'node:crypto';
import { PermanentError } from '../../../shared/errors.js';
import type { ChildOptions, JobDefinition } from '../../../shared/jobs/definition.js';
import { type JobOptions, optionsSchema } from '../../../shared/jobs/options.js';
import { addressOf, type QueuePlan, requireAddress } from '../../../shared/jobs/queues.js';
import type { Registry } from '../../../shared/jobs/registry.js';
import { validate } from '../../../shared/jobs/schema.js';
import { inShard, queueNameOf, shardOf } from '../../../shared/shards.js';
import { isWeight } from '../../reporting/roll-up.js';

const MAX_KEY = 200;

/** A validated call of `ctx.child`, without its data. */
export interface ChildRequest {
  definition: JobDefinition;
  /** The queue in the shard of the parent. */
  queue: string;
  weight: number;
  onFailure: NonNullable<ChildOptions['onFailure']>;
}

/**
 * Validates a call of `ctx.child`, except its data and options.
 * @param above ids of the ancestors of the child, its parent last
 * @throws PermanentError if the call is invalid
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
      `cannot start a child: unknown job type "${String(name)}". Known job types: ${known}`,
    );
  }
  if (!isWeight(weight)) {
    throw new PermanentError(`the weight of a child must be a positive number, not ${String(weight)}`);
  }
  if (key !== undefined && (typeof key !== 'string' || key === '' || key.length > MAX_KEY)) {
    throw new PermanentError(`the key of a child must have 1 to ${MAX_KEY} characters`);
  }
  if (!['reject', 'ignore', 'fail'].includes(onFailure)) {
    throw new PermanentError(`onFailure of a child must be reject, ignore or fail, not ${String(onFailure)}`);
  }
  const queue = inShard(plan.of(name), shardOf(requireAddress(above.at(-1) ?? '').queue));
  const holder = above.find((id) => addressOf(id)?.queue === queue);
  if (holder) {
    throw new PermanentError(
      `a child "${name}" would wait in the queue "${queueNameOf(queue)}", where its ancestor ${holder} occupies a worker until the child has ended. Set another queue in one of the two definitions`,
    );
  }
  return { definition, queue, weight, onFailure };
}

/**
 * Validates the data and options of a child like the API does for a job.
 * @returns the options
 * @throws PermanentError if something is invalid, with a JSON pointer to it
 */
export async function checkChild(
  { name, input }: JobDefinition,
  data: unknown,
  given: ChildOptions['options'],
): Promise<JobOptions> {
  const fits = await validate(input, data);
  if (fits.errors) throw invalid(`the data of the child ${name}`, fits.errors);
  const options = await validate(optionsSchema, given ?? {});
  if (options.errors) throw invalid(`the options of the child ${name}`, options.errors);
  if (options.value.deduplicationKey !== undefined) {
    throw new PermanentError('a child cannot have a deduplicationKey; use `key`');
  }
  return options.value;
}

const invalid = (what: string, errors: Array<{ pointer: string; detail: string }>): PermanentError =>
  new PermanentError(
    `${what}: ${errors.map(({ pointer, detail }) => `${pointer || '/'}: ${detail}`).join('; ')}`,
  );

/**
 * Returns the id of a child: the same in every attempt of its parent.
 * @param call the key that the parent set, or the number of the call
 */
export function childId(queue: string, parentId: string, name: string, call: string | number): string {
  // JSON separates the parts, and distinguishes the key "1" from the first call.
  const digest = createHash('sha256')
    .update(JSON.stringify([parentId, name, call]))
    .digest('hex');
  return `${queue}.${digest.slice(0, 32)}`;
}
