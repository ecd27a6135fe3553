import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { block } from '../support/documentation.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { writeJobs } from '../support/jobs.js';
import { temporaryFolder } from '../support/processes.js';
import { freePort } from '../support/redis.js';
import { openStream } from '../support/sse.js';
import { until } from '../support/until.js';

describe('the code blocks of the guides', () => {
  let headway: Headway;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        JOBS_DIR: writeJobs({
          'greet.ts': block('own-job'),
          'greet-all.ts': block('family'),
          'visit.ts': `${block('typed-jobs')}export default visit;`,
        }),
        WEBHOOK_HOSTS: '127.0.0.1',
        WEBHOOK_ALLOW_PRIVATE: 'true',
      },
    });
  });
  afterAll(() => headway.stop());

  it('poll: follows a job to its end with curl as it stands', async () => {
    const script = block('poll').replaceAll('http://127.0.0.1:3000', headway.api.url);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: temporaryFolder(),
      timeout: 30_000,
    });
    expect(stdout).toMatch(/^waiting \n[\s\S]*active \n[\s\S]*progress 100\n[\s\S]*completed \n$/);
    expect(stdout.match(/^(waiting|active|completed)/gm)).toEqual(['waiting', 'active', 'completed']);
  });

  it('walk: works with curl as it stands', async () => {
    const script = block('walk').replaceAll('http://127.0.0.1:3000', headway.api.url);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: temporaryFolder(),
      timeout: 30_000,
    });
    const events = stdout.match(/^event: .*$/gm);
    expect(events?.slice(0, 2)).toEqual(['event: waiting', 'event: active']);
    expect(events?.at(-1)).toBe('event: completed');
    expect(stdout).toContain('"rows":3,"imported":2,"rejected":1');
    expect(stdout).toContain('4,age,not of type integer,unknown');
  });

  it('receiver, webhook: the receiver accepts a signed call and refuses a forged one', async () => {
    const port = String(await freePort());
    const withPort = (name: string): string => block(name).replaceAll('4000', port);
    const file = join(temporaryFolder(), 'receiver.mjs');
    writeFileSync(file, withPort('receiver'));
    // No secret is configured, so the worker has generated a secret.
    const WEBHOOK_SECRET = readFileSync(join(headway.env.DATA_DIR!, 'webhook-secret'), 'utf8');
    const receiver = spawn(process.execPath, [file], {
      env: { WEBHOOK_SECRET },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    receiver.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    try {
      const forged = await until('the receiver listens', () =>
        fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: '{"type":"job.completed"}' }).catch(
          () => undefined,
        ),
      );
      expect(forged.status).toBe(401);
      const script = withPort('webhook').replaceAll('http://127.0.0.1:3000', headway.api.url);
      await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
      await until('the receiver is called', () => output.includes('\n'));
      expect(output).toMatch(/^msg_[\w-]{43} job\.completed\n$/);
    } finally {
      receiver.kill();
      await once(receiver, 'exit');
    }
  });

  /** Runs a block with the address and folder of this test. @returns its standard output */
  async function runBlock(name: string): Promise<string> {
    const script = block(name)
      .replaceAll('http://127.0.0.1:3000', headway.api.url)
      .replaceAll('data/admin-token', `${headway.env.DATA_DIR}/admin-token`);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], {
      cwd: temporaryFolder(),
      timeout: 30_000,
    });
    return stdout;
  }

  it('schedule: creates, runs, pauses, resumes, changes and deletes a schedule', async () => {
    const answers = (await runBlock('schedule')).split(/(?<=\})(?=\{)/).map((text) => JSON.parse(text));
    expect(answers).toMatchObject([
      { name: 'steps', state: expect.stringMatching(/waiting|active/) },
      { state: 'paused', nextRunAt: null },
      { state: 'active', cron: '0 9 * * MON-FRI', timeZone: 'Europe/Berlin' },
      { state: 'active', everyMs: 60_000 },
      { state: 'active', everyMs: 60_000, nextRun: { state: 'delayed' } },
    ]);
  });

  it('pause: pauses and resumes a kind of job', async () => {
    const stdout = await runBlock('pause');
    expect(stdout).toBe(
      '{"queue":"steps","paused":true,"jobs":["steps"]}{"queue":"steps","paused":false,"jobs":["steps"]}',
    );
  });

  it('dashboard: reads the stream of the dashboard', async () => {
    expect(await runBlock('dashboard')).toMatch(
      /^retry: [12]\d{3}\n\nevent: dashboard\ndata: \{"at":\d+,"admin":true/,
    );
  });

  it('many: starts jobs in a batch and lists them', async () => {
    const [batch, list] = (await runBlock('many'))
      .replace('}{', '}\n{')
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(batch.jobs).toHaveLength(2);
    expect(list.jobs).toMatchObject([{ id: batch.jobs[0].id, tags: ['eu'] }]);
  });

  it('own-job: defines a job that runs', async () => {
    const job = await headway.client.start('greet', { names: ['Ada', 'Grace'] });
    const { events, ended } = await openStream(headway.client.events(job), { token: job.token });
    await ended;
    expect(events.filter(({ event }) => event === 'log').map(({ data }) => data.message)).toEqual([
      'Hello, Ada',
      'Hello, Grace',
    ]);
    expect(events.at(-1)).toMatchObject({ event: 'completed', data: { result: { greeted: 2 } } });
  });

  it('typed-jobs: has the custom events and the result that the client has types for', async () => {
    const job = await headway.client.start('visit', { cities: ['Oslo'] });
    const { events, ended } = await openStream(headway.client.events(job), { token: job.token });
    await ended;
    const time = expect.stringMatching(/^20.*Z$/);
    expect(events.find(({ event }) => event === 'arrived')!.data.data).toEqual({ city: 'Oslo', at: time });
    expect(events.at(-1)!.data.result).toEqual({ visited: 1, home: time });
  });

  it('family: defines a job with children that runs', async () => {
    const job = await headway.client.start('greet-all', { groups: [['Ada'], ['Grace', 'Alan']] });
    const { events, ended } = await openStream(headway.client.events(job), { token: job.token });
    await ended;
    expect(events.at(-1)).toMatchObject({ event: 'completed', data: { result: { greeted: 3 } } });
  });
});
