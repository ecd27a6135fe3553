import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, openDashboard } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { jobsDir } from '../support/jobs.js';
import { startApi, startWorker, type TestProcess } from '../support/processes.js';
import { type ReceivedCall, type Receiver, startReceiver } from '../support/receiver.js';
import { until } from '../support/until.js';

const KEY = Buffer.from('a key for alerts, of enough bytes');
const CHECK_MS = 200;

describe('alerts', () => {
  let receiver: Receiver;
  let headway: Headway;
  const others: TestProcess[] = [];

  beforeAll(async () => {
    receiver = await startReceiver(500, 302);
    headway = await startHeadway({
      workers: 0,
      appendOnly: true,
      env: {
        ADMIN_TOKEN,
        JOBS_DIR: jobsDir('steered'),
        ALERT_WEBHOOK_URL: `${receiver.url}/a-secret-path`,
        ALERT_WEBHOOK_SECRET: `whsec_${KEY.toString('base64')}`,
        ALERT_CHECK_MS: String(CHECK_MS),
        ALERT_NO_WORKER_MS: '1',
        ALERT_WAIT_MS: '1500',
        ALERT_FAILED_MIN_JOBS: '3',
        PUBLIC_URL: 'https://example.org/h',
      },
    });
  });
  afterAll(async () => {
    await Promise.all(others.map((process) => process.kill()));
    await headway.stop();
    await receiver.stop();
  });

  const messages = (key: string, state: string): ReceivedCall[] =>
    receiver.calls.filter(({ json }) => json.alert.key === key && json.alert.state === state);
  const receives = (key: string, state: string, times = 1): Promise<ReceivedCall[]> =>
    until(
      () => `${key} is ${state}; received: ${receiver.calls.map(({ json }) => json.text).join('; ')}`,
      () => (messages(key, state).length >= times ? messages(key, state) : undefined),
    );
  /** Waits for a check that begins after this call. */
  const isChecked = async (): Promise<void> => {
    const { connection } = headway;
    for (const gone of [true, false]) {
      await until(
        'a check',
        async () => ((await connection.exists('headway:{alerts}:checked')) === 0) === gone,
      );
    }
  };

  /** Waits until Redis knows that an alert was delivered. A process or a Redis that is killed before sends it again. */
  const isRecorded = (key: string): Promise<unknown> =>
    until(`${key} is recorded as sent`, async () => {
      const state = await headway.connection.hget('headway:{alerts}:states', key);
      return JSON.parse(state ?? '{}').sentAt;
    });

  it('are signed, tried again with the same id while the receiver refuses, and name the page with what to do', async () => {
    const [first, second, third] = await receives('no-worker', 'firing', 3);
    expect([first, second, third].map((call) => call!.headers['webhook-id'])).toEqual(
      Array(3).fill(first!.json.alert.id),
    );
    const { headers, body } = third!;
    const content = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
    expect(headers['webhook-signature']).toBe(
      `v1,${createHmac('sha256', KEY).update(content).digest('base64')}`,
    );
    expect(first!.json.text).toMatch(
      /^Headway alert: No worker is running\. Since \d{4}-.*Z\.\nWhat to do: docs\/operations\/on-call\.md#no-worker\nhttps:\/\/example\.org\/h\/dashboard$/,
    );
    expect(headway.api.output()).toContain('the receiver of alerts answered 500');
    expect(headway.api.output()).not.toContain('a-secret-path');
  });

  it('are not repeated by the next leader, nor after a restart of Redis', async () => {
    const job = await headway.client.start('steered', { turns: 'turns' });
    const second = await startApi(headway.env);
    await isRecorded('no-worker');
    others.push(second);
    await headway.api.kill();
    const [late] = await receives('waiting-jobs:steered', 'firing');
    expect(late!.json.text).toMatch(
      /^Headway alert: The oldest of 1 waiting jobs in the queue steered has waited/,
    );
    await isRecorded('waiting-jobs:steered');
    const { redis } = headway;
    await redis.kill();
    await redis.restart();
    await isChecked();
    await isChecked();
    expect(messages('no-worker', 'firing')).toHaveLength(3);
    // The killed leader may have sent it without recording that: then the receiver knows it by its id.
    const ids = messages('waiting-jobs:steered', 'firing').map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
    const dashboard = await openDashboard(`${second.url}/h`);
    const { alerts } = await dashboard.shows('both alerts', (state) => state.alerts?.length === 2);
    expect(alerts!.map(({ kind }) => kind).sort()).toEqual(['no-worker', 'waiting-jobs']);
    dashboard.close();
    expect(job.state).toBe('waiting');
  });

  it('are resolved, and report a kind of job that fails', async () => {
    const worker = await startWorker(headway.env);
    others.push(worker);
    const { connection } = headway;
    const start = async (): Promise<void> => {
      const response = await fetch(`${others[0]!.url}/v1/jobs`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name: 'steps', data: { count: 1, intervalMs: 1, failAt: 1 } }),
      });
      expect(response.status).toBe(202);
    };
    await connection.lpush('turns', 'end');
    await Promise.all([start(), start(), start()]);
    const [failed] = await receives('failed-jobs:steps', 'firing');
    expect(failed!.json.alert.text).toBe(
      '100 % of the 3 steps jobs that ended in the last 10 min failed (limit 20 %).',
    );
    const [resolved] = await receives('no-worker', 'resolved');
    expect(resolved!.json.text).toMatch(/^Headway: resolved after \d+ s\. Now: Workers are running\./);
    await receives('waiting-jobs:steered', 'resolved');
    expect(messages('no-worker', 'firing')).toHaveLength(3);
  });
});
