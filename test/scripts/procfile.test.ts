import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { clientOf } from '../support/client.js';
import { temporaryFolder } from '../support/processes.js';
import { freePort, startRedis } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

it('the Procfile runs with foreman from npm', async () => {
  const redis = await startRedis();
  const port = await freePort();
  const runner = spawn('node_modules/.bin/nf', ['start', '-p', String(port)], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      REDIS_URL: redis.url,
      DATA_DIR: temporaryFolder(),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [runner.stdout, runner.stderr]) stream.on('data', (data) => (output += data));
  const exited = once(runner, 'close');
  const url = await until(
    'the API listens',
    () => /"url":"(http:[^"]+)".*"msg":"listening"/.exec(output)?.[1],
  );
  const client = clientOf(url);
  const job = await client.start('steps', { count: 2, intervalMs: 1 });
  await (await openStream(client.events(job), { token: job.token })).waitFor('completed');
  runner.kill('SIGINT');
  await exited;
  expect(output).toMatch(/worker\.1 .*"msg":"ready"/);
  await redis.stop();
});
