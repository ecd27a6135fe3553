import { expect, it } from 'vitest';
import { everyChannelKey } from '../../src/shared/channel/keys.js';
import { dashboardKeys } from '../../src/shared/dashboard/keys.js';
import { indexKeys } from '../../src/shared/job-index/keys.js';
import { createKeyspace } from '../../src/shared/keyspace.js';
import { controlChannel } from '../../src/shared/redis/broadcast.js';

it('names the keys of an installation', () => {
  const keyspace = createKeyspace('app');
  expect(keyspace.queueKey('steps', 'wait')).toBe('{app}:steps:wait');
  expect(everyChannelKey(keyspace, 'c')[0]).toBe('app:{c}');
  expect(indexKeys(keyspace).records).toBe('{app}.index');
  expect(dashboardKeys(keyspace).processes).toBe('app:internal:{dashboard}:processes');
  expect(controlChannel(keyspace, { isCluster: false })).toBe('app:control');
  expect(controlChannel(keyspace, { isCluster: true })).toBe('app:{app}:control');
});
