import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkChannelName, jobChannel } from '../../../src/shared/channel/keys.js';
import { defineJob, type JobDefinition } from '../../../src/shared/jobs/definition.js';
import {
  addressOf,
  derivedJobId,
  jobIdOf,
  meantJobId,
  newJobId,
  planQueues,
} from '../../../src/shared/jobs/queues.js';
import { type Registry, RegistryError } from '../../../src/shared/jobs/registry.js';

const letters = (alphabet: string, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength });
const ALPHABET = 'abzABZ019_-';
const queueName = letters(ALPHABET, 60);
const foreignId = letters(`${ALPHABET}.:`, 130);
/** Whatever another tool may name a job. */
const anyId = fc.oneof(
  foreignId,
  letters('a.~2F/@ \n%{}', 30),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 140 }),
);

describe('the id of a job', () => {
  it('leads back to the queue and to the id in BullMQ, whoever made it', () => {
    const id = fc.oneof(
      anyId.map((given) => () => given),
      // What begins as our own ids do.
      foreignId.map((given) => (queue: string) => `${queue}.${given}`.slice(0, 130)),
      fc.constant((queue: string) => newJobId(queue)),
    );
    fc.assert(
      fc.property(queueName, id, (queue, make) => {
        const address = { queue, id: make(queue) };
        expect(addressOf(jobIdOf(address))).toEqual(address);
      }),
      { numRuns: 2000 },
    );
  });

  it('can stand in a path and name a channel, whatever another tool has made up', () => {
    fc.assert(
      fc.property(fc.constantFrom('steps', 'order.events', 'E-Mail senden', 'a'), anyId, (queue, id) => {
        const jobId = jobIdOf({ queue, id });
        expect(jobId).toMatch(/^[A-Za-z0-9_.:~-]+$/);
        expect(new URL(`http://x/v1/jobs/${jobId}/events`).pathname).toBe(`/v1/jobs/${jobId}/events`);
        expect(checkChannelName(jobChannel(jobId))).toBe(`job:${jobId}`);
        expect(addressOf(jobId)).toEqual({ queue, id });
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['order/7', 'steps..order~2F7'],
    ['user@example.com', 'steps..user~40example.com'],
    ['two words', 'steps..two~20words'],
    ['Übung', 'steps..~C3~9Cbung'],
    ['報告', 'steps..~E5~A0~B1~E5~91~8A'],
    ['a~b', 'steps..a~7Eb'],
    ['7', 'steps..7'],
    ['.hidden', 'steps...hidden'],
    ['steps.a/b', 'steps..steps.a~2Fb'],
    ['x'.repeat(140), `steps..${'x'.repeat(140)}`],
  ])('of %j is %s, and may be given either way', (id, jobId) => {
    expect(jobIdOf({ queue: 'steps', id })).toBe(jobId);
    expect(meantJobId(jobId)).toBe(jobId);
    expect(meantJobId(`steps..${id}`)).toBe(jobId);
  });

  it('is of one job only', () => {
    fc.assert(
      fc.property(fc.constantFrom('a', 'b'), letters('ab.', 6), letters('ab.', 6), (queue, one, other) => {
        fc.pre(one !== other);
        expect(jobIdOf({ queue, id: one })).not.toBe(jobIdOf({ queue, id: other }));
      }),
      { numRuns: 2000 },
    );
  });

  it('that we make is the same in BullMQ', () => {
    expect(newJobId('media')).toMatch(/^media\.[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    const id = newJobId('media');
    expect(addressOf(id)).toEqual({ queue: 'media', id });
  });

  it('that follows from a seed is always the same, and another for another seed', () => {
    expect(derivedJobId('media', 'a 1')).toMatch(
      /^media\.[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    expect(derivedJobId('media', 'a 1')).toBe(derivedJobId('media', 'a 1'));
    expect(derivedJobId('media', 'a 1')).not.toBe(derivedJobId('media', 'a 2'));
  });

  it.each([
    '',
    'steps',
    'steps.',
    '.x',
    'a b.c',
    'steps.../etc',
    'steps.x{y}',
    `q.${'x'.repeat(131)}`,
    'q.x\n',
  ])('is not %j', (text) => {
    expect(addressOf(text)).toBeUndefined();
  });

  it.each([
    'steps..~61',
    'steps..a~2fb',
    'steps..~zz',
    'steps..~FF',
    `steps..steps.x`,
    `q..${'~2F'.repeat(700)}`,
  ])('has no second form: %j', (text) => {
    expect(addressOf(text)).toBeUndefined();
  });
});

describe('the plan of queues', () => {
  const registry = (...kinds: Array<Partial<JobDefinition> & { name: string }>): Registry =>
    new Map(
      kinds.map((kind) => [
        kind.name,
        defineJob({ input: z.unknown(), result: z.unknown(), run: () => null, ...kind }) as JobDefinition,
      ]),
    );
  const names = (definitions: JobDefinition[]): string[] => definitions.map(({ name }) => name);

  it('gives each kind a queue of its own, named like it', () => {
    const plan = planQueues(registry({ name: 'a' }, { name: 'b' }), '');
    expect(plan.names).toEqual(['a', 'b']);
    expect(plan.of('b')).toBe('b');
    expect(names(plan.kindsIn('a'))).toEqual(['a']);
  });

  it('follows the definition, also where several name the same queue', () => {
    const plan = planQueues(registry({ name: 'a', queue: 'media' }, { name: 'b', queue: 'media' }), '');
    expect(plan.names).toEqual(['media']);
    expect(names(plan.kindsIn('media'))).toEqual(['a', 'b']);
  });

  it('puts into a shared queue all that say nothing else and have no limits of their own', () => {
    const plan = planQueues(
      registry(
        { name: 'a' },
        { name: 'b', queue: 'media' },
        { name: 'c', concurrency: 2 },
        { name: 'd', rateLimit: { max: 1, perMs: 1 } },
      ),
      'all',
    );
    expect(['a', 'b', 'c', 'd'].map(plan.of)).toEqual(['all', 'media', 'c', 'd']);
  });

  it('knows where a kind would be that is not here, and of a queue that is not here', () => {
    expect(planQueues(registry({ name: 'a' }), '').of('x')).toBe('x');
    expect(planQueues(registry({ name: 'a' }), 'all').of('x')).toBe('all');
    expect(planQueues(registry({ name: 'a' }), '').kindsIn('x')).toEqual([]);
  });

  it.each([
    ['concurrency', { concurrency: 2 }],
    ['rateLimit', { rateLimit: { max: 1, perMs: 1000 } }],
  ])('refuses a kind with a %s in a queue with others, and names all of them', (_what, limit) => {
    const kinds = registry({ name: 'a', queue: 'media' }, { name: 'b', queue: 'media', ...limit });
    expect(() => planQueues(kinds, '')).toThrow(RegistryError);
    expect(() => planQueues(kinds, '')).toThrow(/"b" has a .* shares the queue "media" with a:/);
  });

  it('refuses one whose own queue is the one that another kind is named like', () => {
    expect(() => planQueues(registry({ name: 'a' }, { name: 'b', queue: 'a', concurrency: 1 }), '')).toThrow(
      /"b" .* shares the queue "a" with a/,
    );
  });
});
