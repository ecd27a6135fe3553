import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jobEvents } from '../../../src/shared/jobs/events/job-events.js';
import { streamEvents } from '../../../src/shared/jobs/events/stream-events.js';
import type { StartedJob } from '../../support/client.js';
import { Contract } from '../../support/contract.js';
import { type Headway, startHeadway } from '../../support/headway.js';
import { jobsDir } from '../../support/jobs.js';
import { startWorker } from '../../support/processes.js';
import { userToken } from '../../support/schedules.js';
import { openStream, type ReceivedEvent, type TestStream } from '../../support/sse.js';

describe('the data of every event on a real stream matches its schema', () => {
  let headway: Headway;
  let contract: Contract;
  const seen = new Set<string>();
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        JOBS_DIR: jobsDir('all-events', 'holder'),
        ADMIN_TOKEN: 'the-token-of-an-admin',
        LOCK_DURATION_MS: '1000',
        STALLED_INTERVAL_MS: '500',
        HEARTBEAT_MS: '200',
        CHANNEL_RULES: '[{"channel":"members","subscribe":"signed-in"}]',
      },
    });
    contract = new Contract(await (await fetch(`${headway.api.url}/openapi.json`)).json());
  });
  afterAll(() => headway.stop());

  const watch = (job: StartedJob, lastEventId?: string): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token, lastEventId });

  /** Checks received events with the schemas that the document has for the operation. */
  function check(events: ReceivedEvent[], operationId = 'watchJob'): void {
    const { events: known } = contract.byId(operationId);
    expect(events).not.toEqual([]);
    for (const { event, data } of events) {
      const schema = known![event] ?? known!['*'];
      expect(schema, `a schema of ${event}`).toBeDefined();
      expect(contract.mistakes(schema!.$ref, data), `${event} ${JSON.stringify(data)}`).toEqual([]);
      seen.add(known![event] ? event : '*');
    }
  }

  it('for a job that reports everything, is retried and completes', async () => {
    const stream = await watch(await headway.client.start('all-events', {}, { delayMs: 300 }));
    await stream.ended;
    check(stream.events);
    expect(stream.names().at(-1)).toBe('completed');
    expect(stream.names()).toEqual(
      expect.arrayContaining(['delayed', 'retrying', 'child', 'partial', 'own.kind']),
    );

    const { $ref } = contract.byId('watchJob').customEvents!['all-events']!;
    const value = stream.events.find(({ event }) => event === 'own.kind')!.data.data;
    expect(contract.mistakes(`${$ref}/properties/own.kind`, value)).toEqual([]);
    expect(contract.mistakes(`${$ref}/properties/own.kind`, { ...value, of: 'text' })).not.toEqual([]);
    const kinds = await (await fetch(`${headway.api.url}/v1/definitions`)).json();
    const byName = new Map(kinds.definitions.map((kind: { name: string }) => [kind.name, kind]));
    expect(byName.get('all-events')).toMatchObject({
      events: {
        'own.kind': { properties: { at: { type: 'string', format: 'date-time' } }, required: ['at'] },
      },
    });
    expect(byName.get('holder')).not.toHaveProperty('events');
  });

  it('for failed and cancelled jobs', async () => {
    const failing = await watch(await headway.client.start('steps', { count: 2, intervalMs: 1, failAt: 1 }));
    const expiring = await watch(
      await headway.client.start('steps', { count: 1, intervalMs: 1 }, { timeoutMs: 1, attempts: 1 }),
    );
    const job = await headway.client.start('holder', {});
    const cancelled = await watch(job);
    await cancelled.waitFor('active');
    await headway.client.cancel(job);
    await Promise.all([failing.ended, expiring.ended, cancelled.ended]);
    for (const stream of [failing, expiring, cancelled]) check(stream.events);
    expect(cancelled.names().at(-1)).toBe('cancelled');
  });

  it('for a job whose queue is paused, and that another tool removes', async () => {
    const asAdmin = { method: 'POST', headers: { Authorization: 'Bearer the-token-of-an-admin' } };
    await fetch(`${headway.api.url}/v1/definitions/checksum/pause`, asAdmin);
    const file = await headway.client.upload('a.txt', 'words');
    const job = await headway.client.start('checksum', { file: file.id });
    const stream = await watch(job);
    await stream.waitFor(({ event, data }) => event === 'queue' && data.paused);
    // Removes the job as BullMQ's `drain` does, without an event.
    await headway.connection.del(`{headway}:checksum:${job.id}`);
    await headway.connection.lrem('{headway}:checksum:paused', 0, job.id);
    await headway.connection.lrem('{headway}:checksum:wait', 0, job.id);
    await stream.ended;
    check(stream.events);
    expect(stream.events.at(-1)).toMatchObject({ event: 'cancelled', data: { reason: 'removed' } });
    await fetch(`${headway.api.url}/v1/definitions/checksum/resume`, asAdmin);
  });

  it('for a job whose worker is lost', async () => {
    const stream = await watch(await headway.client.start('holder', {}));
    await stream.waitFor('active');
    await headway.workers[0]!.kill();
    headway.workers[0] = await startWorker(headway.env);
    await stream.ended;
    check(stream.events);
    expect(stream.names()).toContain('stalled');
  });

  it('for a channel with a new epoch, and for a viewer whose token expires', async () => {
    const job = await headway.client.start('steps', { count: 1, intervalMs: 1 });
    const first = await watch(job);
    await first.ended;
    const second = await watch(job, 'anotherepoch-3');
    await second.ended;
    check(second.events);
    expect(second.names()[0]).toBe('reset');

    const token = await userToken(headway, 'ada', '3s');
    const members = await openStream(`${headway.api.url}/stream?channel=members`, { token });
    await members.ended;
    check(members.events, 'watchChannels');
  });

  it('and every event with a schema was checked', () => {
    expect([...seen].sort()).toEqual([...Object.keys({ ...jobEvents, ...streamEvents }), '*'].sort());
  });
});
