import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { checkChannelName, jobChannel } from '../../../src/shared/channel/keys.js';
import { defineJob, type JobDefinition } from '../../../src/shared/jobs/definition.js';
import {
  addressOf,
  derivedJobId,
  isRandomId,
  jobIdOf,
  meantJobId,
  newJobId,
  planQueues,
} from '../../../src/shared/jobs/queues.js';
import { type Registry, RegistryError } from '../../../src/shared/jobs/registry.js';
import { anyText } from '../../support/any-text.js';

const letters = (alphabet: string, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength: 1, maxLength });
const ALPHABET = 'abzABZ019_-';
const queueName = letters(ALPHABET, 60);
const foreignId = letters(`${ALPHABET}.:`, 130);
/** Any id that another tool may choose. */
const anyId = fc.oneof(foreignId, letters('a.~2F/@ \n%{}', 30), anyText({ minLength: 1, maxLength: 140 }));

describe('the id of a job', () => {
  it('contains the queue and the id in BullMQ, for jobs of any tool', () => {
    const id = fc.oneof(
      anyId.map((given) => () => given),
      // Ids that begin like those of Headway.
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

  it('is valid in a path and as a channel name, for any id of another tool', () => {
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

  it('identifies one job only', () => {
    fc.assert(
      fc.property(fc.constantFrom('a', 'b'), letters('ab.', 6), letters('ab.', 6), (queue, one, other) => {
        fc.pre(one !== other);
        expect(jobIdOf({ queue, id: one })).not.toBe(jobIdOf({ queue, id: other }));
      }),
      { numRuns: 2000 },
    );
  });

  it('is the same in BullMQ for our jobs', () => {
    expect(newJobId('media')).toMatch(/^media\.[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    const id = newJobId('media');
    expect(addressOf(id)).toEqual({ queue: 'media', id });
  });

  it('is known to be new only if it is random', () => {
    const id = newJobId('media');
    expect(isRandomId(id)).toBe(true);
    const others = [derivedJobId('media', 'a 1'), 'media..1', id.slice('media.'.length), `media..${id}`];
    expect(others.filter(isRandomId)).toEqual([]);
  });

  it('is the same for the same seed, and differs for other seeds', () => {
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

  it('gives each kind a queue with its name', () => {
    const plan = planQueues(registry({ name: 'a' }, { name: 'b' }), '');
    expect(plan.names).toEqual(['a', 'b']);
    expect(plan.of('b')).toBe('b');
    expect(names(plan.kindsIn('a'))).toEqual(['a']);
  });

  it('uses the queue of the definition, even when several definitions share a queue', () => {
    const plan = planQueues(registry({ name: 'a', queue: 'media' }, { name: 'b', queue: 'media' }), '');
    expect(plan.names).toEqual(['media']);
    expect(names(plan.kindsIn('media'))).toEqual(['a', 'b']);
  });

  it('puts all kinds without a queue and without limits into the shared queue', () => {
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

  it('gives the kinds of another program a queue without other kinds', () => {
    const external = { name: 'b', external: true };
    expect(planQueues(registry({ name: 'a' }, external), 'all').of('b')).toBe('b');
    expect(() =>
      planQueues(registry({ name: 'a', queue: 'media' }, { ...external, queue: 'media' }), ''),
    ).toThrow(
      'the job "b" is run by a worker of another program, which takes all jobs of a queue, but shares the queue "media" with a',
    );
  });

  it('answers for unknown kinds and unknown queues', () => {
    expect(planQueues(registry({ name: 'a' }), '').of('x')).toBe('x');
    expect(planQueues(registry({ name: 'a' }), 'all').of('x')).toBe('all');
    expect(planQueues(registry({ name: 'a' }), '').kindsIn('x')).toEqual([]);
  });

  it.each([
    ['concurrency', { concurrency: 2 }],
    ['rateLimit', { rateLimit: { max: 1, perMs: 1000 } }],
  ])('refuses a kind with a %s in a queue with other kinds, and names all kinds there', (_what, limit) => {
    const kinds = registry({ name: 'a', queue: 'media' }, { name: 'b', queue: 'media', ...limit });
    expect(() => planQueues(kinds, '')).toThrow(RegistryError);
    expect(() => planQueues(kinds, '')).toThrow(/"b" has a .* shares the queue "media" with a:/);
  });

  it('rejects a kind with limits in a queue that has the name of another kind', () => {
    expect(() => planQueues(registry({ name: 'a' }, { name: 'b', queue: 'a', concurrency: 1 }), '')).toThrow(
      /"b" .* shares the queue "a" with a/,
    );
  });
});
