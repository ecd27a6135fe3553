import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { plainBullMq } from '../support/bullmq.js';
import { clientOf } from '../support/client.js';
import { block } from '../support/documentation.js';
import { runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/folder.js';
import { startHeadway } from '../support/headway.js';
import { startApi, startWorker } from '../support/processes.js';
import { freePort, openRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

const ends: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

it('restores jobs, results, uploads and channels from a backup of a running service', async () => {
  const BACKUP_DIR = temporaryFolder();
  const before = await startHeadway({
    appendOnly: true,
    // Redis would wait five seconds for further replicas before it writes the copy.
    redisArgs: ['--repl-diskless-sync-delay', '0'],
  });
  ends.push(() => before.stop());
  const { client } = before;
  const picture = await client.start('mandelbrot', { width: 16, height: 16, iterations: 10 });
  await until('the result is there', async () => (await client.result(picture)).status === 200);
  const image = Buffer.from(await (await client.result(picture)).arrayBuffer());
  const file = await client.upload('letter.txt', 'Dear reader');
  // It is due after the restore, and could not run without its upload.
  const delayed = await client.start('checksum', { file: file.id }, { delayMs: 3_600_000 });

  const FILES_DIR = join(before.env.DATA_DIR!, 'files');
  await runToEnd(block('backup'), { REDIS_URL: before.redis.url, FILES_DIR, BACKUP_DIR });
  const later = await client.start('steps', { count: 1, intervalMs: 0 });
  const seen = await openStream(client.events(delayed), { token: delayed.token });
  await client.cancel(delayed);
  await seen.waitFor('cancelled');
  const lastEventId = seen.lastEventId();
  await before.stop();

  const DATA_DIR = temporaryFolder();
  const REDIS_DIR = join(DATA_DIR, 'redis');
  mkdirSync(REDIS_DIR);
  const REDIS_PORT = String(await freePort());
  const url = `redis://127.0.0.1:${REDIS_PORT}`;
  const redis = openRedis(url, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => {});
  ends.push(() => redis.shutdown('NOSAVE').catch(() => {}));
  await runToEnd(block('restore'), { BACKUP_DIR, REDIS_DIR, REDIS_PORT, FILES_DIR: join(DATA_DIR, 'files') });
  await redis.connect();
  expect(await redis.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);

  const env = { ...before.env, DATA_DIR, REDIS_URL: url };
  const [api, worker] = await Promise.all([startApi(env), startWorker(env)]);
  ends.push(
    () => api.kill(),
    () => worker.kill(),
  );
  const restored = clientOf(api.url);
  const again = await restored.result(picture);
  expect(Buffer.from(await again.arrayBuffer())).toEqual(image);
  // Cancelled after the backup: waiting again. The viewer that saw its end is told so.
  const stream = await openStream(restored.events(delayed), { token: delayed.token, lastEventId });
  await stream.waitFor('reset');
  await stream.waitFor('delayed');
  stream.close();
  expect((await restored.get(later)).status).toBe(404);
  const { queue, close } = plainBullMq({ redis: { ...before.redis, url } });
  ends.push(close);
  await (await queue('checksum').getJob(delayed.id))!.promote();
  await until(
    'the delayed job has read its upload',
    async () => (await restored.result(delayed)).status === 200,
  );
});
