import { expect, it } from 'vitest';
import { SLOTS, slotOf } from '../../src/shared/hash-slot.js';
import { addressOf, isRandomId, jobIdOf, meantJobId, placedJobId } from '../../src/shared/jobs/queues.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { inShard, queueIn, queueNameOf, Shards, shardFor, shardOf } from '../../src/shared/shards.js';

it('names the keys of a shard, all with the same hash tag', () => {
  const keyspace = createKeyspace('app', 4);
  expect(keyspace.queueKey('steps', 'wait')).toBe('{app}:steps:wait');
  expect(keyspace.queueKey('steps~s3', 'wait')).toBe('{app~3.132}:steps:wait');
  for (const queue of ['steps', 'steps~s1', 'steps~s63']) {
    const qualifiedName = keyspace.qualifiedName(queue);
    expect(queueIn({ qualifiedName })).toBe(queue);
    expect(keyspace.parseQueueKey(`${qualifiedName}:a:b`)).toEqual({ queue, suffix: 'a:b' });
  }
});

it.each([
  '{app~1}:q:1',
  '{app~3.133}:q:1',
  '{app~3.132x}:q:1',
  '{app~0}:q:1',
  '{app~01}:q:1',
  '{other}:q:1',
  '{app~x}:q:1',
  '{app~}:q:1',
  'q:1',
])('does not take %s for a key of the installation', (key) =>
  expect(createKeyspace('app').parseQueueKey(key)).toBeUndefined(),
);

it.each(['app', 'headway', 'x:y'])('the shards of %s are spread evenly over equal masters', (prefix) => {
  for (const masters of [1, 3, 9]) {
    const shards = Array.from({ length: 27 }, (_, shard) => createKeyspace(prefix).prefixOf(shard));
    // Relative to the first shard, because the place of that one depends on the prefix.
    const begin = slotOf(shards[0]!) - SLOTS / masters / 2;
    const counts = new Map<number, number>();
    for (const tag of shards) {
      const master = Math.floor((((slotOf(tag) - begin + SLOTS) % SLOTS) / SLOTS) * masters);
      counts.set(master, (counts.get(master) ?? 0) + 1);
    }
    expect([...counts.values()]).toEqual(Array(masters).fill(27 / masters));
  }
});

it.each([
  ['steps', 'steps', 0],
  ['steps~s1', 'steps', 1],
  ['steps~s63', 'steps', 63],
  // No shard, but part of the name.
  ['steps~s0', 'steps~s0', 0],
  ['steps~s64', 'steps~s64', 0],
  ['steps~s01', 'steps~s01', 0],
  ['a~sale', 'a~sale', 0],
])('the queue %s is %s in shard %i', (queue, name, shard) => {
  expect([queueNameOf(queue), shardOf(queue)]).toEqual([name, shard]);
  expect(inShard(name, shard)).toBe(queue);
});

it.each([
  ['a job of Headway', { queue: 'steps~s1', id: 'steps~s1.17' }, 'steps~s1.17'],
  ['a job of another tool', { queue: 'steps~s1', id: '17' }, 'steps~s1..17'],
  ['an id that needs encoding', { queue: 'steps~s12', id: 'order/7' }, 'steps~s12..order~2F7'],
  ['an id of another shard', { queue: 'steps~s1', id: 'steps.17' }, 'steps~s1..steps.17'],
  ['an id of a shard in the first one', { queue: 'steps', id: 'steps~s1.17' }, 'steps..steps~7Es1.17'],
])('the id of %s has one spelling', (_what, address, jobId) => {
  expect(jobIdOf(address)).toBe(jobId);
  expect(addressOf(jobId)).toEqual(address);
  expect(meantJobId(jobId)).toBe(jobId);
});

it.each([
  'steps~7Es1..17',
  'steps~s0..17',
  'steps~s64.17',
  'steps~s01.17',
  'steps~s1.',
  'steps~s1..steps~s1.17',
])('%s is no job id', (jobId) => expect(addressOf(jobId)).toBeUndefined());

it('a new job is in the shard of its seed, else in any', () => {
  const shardsOf = (seed?: string): Set<number> =>
    new Set(Array.from({ length: 200 }, () => shardOf(addressOf(placedJobId('q', 4, seed))!.queue)));
  expect(shardsOf('a key')).toEqual(new Set([shardFor('a key', 4)]));
  expect([...shardsOf()].sort()).toEqual([0, 1, 2, 3]);
  expect(isRandomId(placedJobId('q', 4, 'a key'))).toBe(true);
  expect(placedJobId('q', 1, 'a key')).toMatch(/^q\.[0-9a-f-]{36}$/);
});

it('there may be jobs in as many shards as any process uses or used', () => {
  const shards = new Shards(2);
  expect(shards.all).toEqual([0, 1]);
  shards.learn([3]);
  expect(shards.of('q')).toEqual(['q', 'q~s1', 'q~s2']);
  shards.learn([]);
  expect(shards.known).toBe(2);
});
