import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block } from '../support/documentation.js';
import { commandOf, type RunningCommand, runCommand, runToEnd } from '../support/example.js';
import { temporaryFolder } from '../support/folder.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir, writeJobs } from '../support/jobs.js';
import { workerContract } from '../support/scripted-worker.js';
import { openStream } from '../support/sse.js';

const SCRIPT = join(process.cwd(), 'dist/shared/bullmq/scripts/worker.lua');

describe.skipIf(!process.env.RECIPES)('a worker in Go', () => {
  let headway: Headway;
  let program: string;
  beforeAll(async () => {
    const folder = temporaryFolder();
    for (const file of ['go.mod', 'headway.go', 'redis.go'])
      copyFileSync(`examples/go-worker/${file}`, join(folder, file));
    copyFileSync('test/support/scripted-worker/main.go', join(folder, 'main.go'));
    program = join(folder, 'worker');
    const build = `cd ${folder} && go vet . && test -z "$(gofmt -l .)" && go build -o worker .`;
    [headway] = await Promise.all([
      startHeadway({ env: { JOBS_DIR: jobsDir('scripted', 'parent-of-scripted') }, appendOnly: true }),
      runToEnd(build, {}),
    ]);
  }, 120_000);
  afterAll(() => headway.stop());

  workerContract(() => ({
    headway,
    start: () => runCommand(`exec ${program}`, { REDIS_URL: headway.redis.url, WORKER_LUA: SCRIPT }),
  }));
});

describe.skipIf(!process.env.RECIPES)('examples of workers in other languages', () => {
  const running: RunningCommand[] = [];
  afterAll(() => Promise.all(running.map((each) => each.stop())));

  it.each([
    {
      example: 'python-worker',
      kind: 'primes',
      command: commandOf('python-worker', 'worker'),
      last: 100_000,
    },
    { example: 'go-worker', kind: 'collatz', command: commandOf('go-worker', 'worker'), last: 100_000 },
  ])('$example runs a job with the command of its README', async ({ example, kind, command, last }) => {
    const headway = await startHeadway({ env: { JOBS_DIR: `examples/${example}/jobs` } });
    running.push(runCommand(command, { REDIS_URL: headway.redis.url }));
    const refused = await headway.client.post({ name: kind, data: { upTo: 0 } });
    expect(refused.status).toBe(422);
    const job = await headway.client.start(kind, { upTo: last });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('completed', 50_000);
    const progress = stream.events.filter(({ event }) => event === 'progress');
    expect(progress.at(-1)!.data).toMatchObject({ percent: 100, unit: 'numbers' });
    expect(stream.events.at(-1)!.data.result).toEqual(
      kind === 'primes' ? { count: 9592, largest: 99_991 } : { number: 77_031, steps: 350 },
    );
    await headway.stop();
  });

  it('the guide has a kind of job and a worker that runs it', async () => {
    const headway = await startHeadway({
      env: { JOBS_DIR: writeJobs({ 'primes.mjs': block('external-job') }) },
    });
    const program = join(temporaryFolder(), 'worker.py');
    writeFileSync(program, block('python-worker').replace('redis://127.0.0.1:6379', headway.redis.url));
    running.push(runCommand(`exec /usr/bin/python3 ${program}`, { PYTHONPATH: 'examples/python-worker' }));
    const job = await headway.client.start('primes', { upTo: 1000 });
    const stream = await openStream(headway.client.events(job), { token: job.token });
    await stream.waitFor('completed');
    expect(stream.names()).toContain('log');
    expect(stream.events.at(-1)!.data.result).toEqual({ count: 168, largest: 997 });
    await headway.stop();
  });
});
