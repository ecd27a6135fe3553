// Many channels with a log and a state slot in one Redis, 1,000 of them watched: what an event costs, and the memory.
import { channelScripts } from '../../dist/shared/channel/scripts.js';
import { openPublisher } from '../lib/channels.mjs';
import { cpuOf, perUnit } from '../lib/cpu.mjs';
import { inGroups } from '../lib/finished-jobs.mjs';
import { startHeadway } from '../lib/installations.mjs';
import { startMeasured } from '../lib/processes.mjs';
import { scaled } from '../lib/sizes.mjs';

const CHANNELS = [1000, 10_000, 50_000, 100_000].map(scaled);
const WATCHED = scaled(1000);
const EVENTS_EACH = 5;
const nameOf = (i) => `public.${i}`;

export async function channels() {
  const rules = [{ channel: 'public.**', subscribe: 'anyone' }];
  const side = await startHeadway({
    workers: 0,
    env: { CHANNEL_RULES: JSON.stringify(rules) },
    redis: { scripts: channelScripts },
  });
  const publisher = openPublisher(side.redis);
  const publish = (i, message) =>
    publisher.publish(nameOf(i), { event: 'news', kind: 'log', data: { message, text: 'a'.repeat(100) } });
  const viewers = await startMeasured('bench/lib/viewers.mjs', {});
  const results = [];
  const empty = await side.redis.usedMemory();
  let made = 0;
  for (const count of CHANNELS) {
    await inGroups(made, count, async (i) => {
      await publish(i, 'first');
      await publisher.publish(nameOf(i), {
        event: 'progress',
        kind: 'state',
        key: 'progress',
        data: { percent: 1 },
      });
    });
    const bytes = ((await side.redis.usedMemory()) - empty) / count;
    if (made === 0) {
      const urls = Array.from({ length: WATCHED }, (_, i) => `${side.api.url}/stream?channel=${nameOf(i)}`);
      viewers.send({ open: urls, opened: 'event: ' });
      await viewers.next();
    }
    made = count;
    viewers.send({ count: true });
    const { frames } = await viewers.next();
    const before = await cpuOf(side);
    const events = WATCHED * EVENTS_EACH;
    viewers.send({ expect: frames + events });
    const arrived = viewers.next();
    for (let round = 0; round < EVENTS_EACH; round++) {
      for (let i = 0; i < WATCHED; i++) await publish(i, 'mark');
    }
    await arrived;
    results.push({ ...perUnit(before, await cpuOf(side), events), bytes });
  }
  await viewers.stop();
  await side.stop();
  return {
    table: [
      ['channels', ...CHANNELS],
      ['µs of CPU of Redis for an event', ...results.map(({ redis }) => redis.toFixed(1))],
      ['µs of CPU of the API for an event to its viewer', ...results.map(({ api }) => api.toFixed(1))],
      ['bytes of Redis for a channel', ...results.map(({ bytes }) => bytes.toFixed(0))],
    ],
    picture: {
      title: 'An event of a watched channel',
      unit: 'µs of CPU',
      across: 'channels',
      xs: CHANNELS,
      curves: [
        { name: 'Redis', values: results.map(({ redis }) => redis) },
        { name: 'API', values: results.map(({ api }) => api) },
      ],
    },
  };
}
