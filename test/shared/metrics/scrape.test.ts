import { afterAll, beforeAll, expect, it } from 'vitest';
import { LIMITS } from '../../../src/api/limits/names.js';
import { RESET_REASONS } from '../../../src/shared/channel/reader.js';
import { errorCodes } from '../../../src/shared/errors.js';
import { TERMINAL_STATES } from '../../../src/shared/jobs/states.js';
import { instruments } from '../../../src/shared/metrics/all.js';
import { plainBullMq } from '../../support/bullmq.js';
import { ADMIN_TOKEN } from '../../support/dashboard.js';
import type { Headway } from '../../support/headway.js';
import { Scrape } from '../../support/prometheus.js';
import { borrowHeadway } from '../../support/shared-headway.js';
import { openStream, watchToEnd } from '../../support/sse.js';
import { bearer } from '../../support/tokens.js';
import { until } from '../../support/until.js';

const FOREIGN_KINDS = 60;

let headway: Headway;
beforeAll(async () => {
  headway = await borrowHeadway();
});
afterAll(() => headway.stop());

const scrapeAll = (): Promise<Scrape> =>
  Scrape.of(headway.api.metrics, ...headway.workers.map(({ metrics }) => metrics));

/** Returns how much a metric has grown since `before`. */
const growth =
  (before: Scrape, after: Scrape) =>
  (name: string, labels: Record<string, string> = {}): number =>
    after.value(name, labels) - before.value(name, labels);

it('counts what happens to jobs, viewers and requests, as the test has counted it', async () => {
  const { api, client, connection } = headway;
  // The first scrape begins what is measured from then on.
  await scrapeAll();
  const before = await scrapeAll();

  const turns = `metrics-${process.hrtime.bigint()}`;
  const steered = await client.start('steered', { turns });
  const streams = await Promise.all(
    Array.from({ length: 3 }, () => openStream(client.events(steered), { token: steered.token })),
  );
  await streams[0]!.waitFor('active');
  const REPORTS = 60;
  await connection.lpush(
    turns,
    ...Array.from({ length: REPORTS }, (_, i) => `${i + 1}`),
    'log one',
    'log two',
  );
  await Promise.all(streams.map((stream) => stream.waitFor(({ data }) => data?.message === 'two')));
  // A viewer that comes back, one that asks for an id of another channel, and a multiplexed one.
  const lastEventId = streams[2]!.events.find(({ event }) => event === 'active')!.id;
  streams[2]!.close();
  const back = await openStream(client.events(steered), { token: steered.token, lastEventId });
  const lost = await openStream(client.events(steered), { token: steered.token, lastEventId: 'another-1' });
  await Promise.all([back, lost].map((stream) => stream.waitFor(({ data }) => data?.message === 'two')));
  const open = await until('the viewer that left is gone', async () => {
    const now = await Scrape.of(api.metrics);
    return now.value('headway_stream_viewers') === before.value('headway_stream_viewers') + 4
      ? now
      : undefined;
  });
  expect(growth(before, open)('headway_stream_channels')).toBe(1);
  expect(growth(before, await scrapeAll())('headway_worker_active_jobs')).toBe(1);
  // What is read from Redis may be a second old.
  await until('the job is counted as active', async () => {
    const grown = growth(before, await Scrape.of(api.metrics));
    const inIndex = grown('headway_jobs', { kind: 'steered', state: 'active' });
    return inIndex === 1 && grown('headway_queue_jobs', { queue: 'steered', state: 'active' }) === 1;
  });
  await connection.lpush(turns, 'end');
  await Promise.all([...streams.slice(0, 2), back, lost].map(({ ended }) => ended));

  const flaky = await client.start('flaky', { failures: 1 });
  const failing = await client.start('flaky', { failures: 1, permanent: true });
  const others = await Promise.all(
    [flaky, failing].map(({ links, token }) => watchToEnd(`${api.url}${links.events}`, token)),
  );

  expect((await client.post({ name: 'nothing' })).status).toBe(422);
  for (let i = 0; i < 3; i++) expect((await fetch(`${api.url}/nothing/${i}?x=${i}`)).status).toBe(404);
  expect((await fetch(`${api.url}${steered.links.self}`, { headers: bearer(steered.token) })).status).toBe(
    200,
  );

  // The parts of the service count after they have answered.
  const all = [...streams, back, lost, ...others];
  const bytes = all
    .slice(0, 2)
    .concat(back, lost, ...others)
    .reduce((sum, stream) => sum + stream.raw().length, 0);
  const after = await until('everything is counted', async () => {
    const now = await scrapeAll();
    const grown = growth(before, now);
    return grown('headway_jobs_finished_total') === 3 && grown('headway_stream_viewers') === 0
      ? now
      : undefined;
  });
  const grown = growth(before, after);
  expect(grown('headway_jobs_queued_total', { kind: 'steered' })).toBe(1);
  expect(grown('headway_jobs_finished_total', { kind: 'steered', state: 'completed' })).toBe(1);
  expect(grown('headway_jobs_finished_total', { kind: 'flaky', state: 'completed' })).toBe(1);
  expect(grown('headway_jobs_finished_total', { kind: 'flaky', state: 'failed' })).toBe(1);
  expect(grown('headway_job_attempts_total', { kind: 'flaky' })).toBe(3);
  expect(grown('headway_job_retries_total', { kind: 'flaky' })).toBe(1);
  expect(grown('headway_job_wait_seconds')).toBe(3);
  expect(grown('headway_job_run_seconds', { kind: 'steered' })).toBe(1);

  // Each report of the jobs is either published or merged into another one.
  const progress = grown('headway_progress_published_total');
  expect(progress + grown('headway_progress_coalesced_total')).toBe(REPORTS + 3);
  expect(grown('headway_progress_coalesced_total')).toBeGreaterThan(REPORTS / 2);

  const connects = all.length;
  expect(grown('headway_stream_connects_total', { kind: 'channel' })).toBe(connects);
  expect(grown('headway_stream_reconnects_total', { kind: 'channel' })).toBe(2);
  expect(grown('headway_stream_resets_total', { reason: 'epoch' })).toBe(1);
  const received = all.flatMap(({ events }) => events).filter(({ event }) => event !== 'reset').length;
  // The viewer that left may have been sent an event that it did not read.
  const written = grown('headway_stream_events_total');
  expect(written - received).toBeGreaterThanOrEqual(0);
  expect(written - received).toBeLessThanOrEqual(1);
  expect(grown('headway_stream_events_total', { delivery: 'replay' })).toBeGreaterThan(connects);
  expect(grown('headway_stream_written_bytes_total')).toBeGreaterThanOrEqual(bytes);
  expect(grown('headway_stream_written_bytes_total')).toBeLessThanOrEqual(
    bytes + streams[2]!.raw().length + 1000,
  );
  expect(grown('headway_stream_lag_seconds')).toBeGreaterThan(4);

  expect(grown('headway_http_requests_total', { method: 'POST', route: '/v1/jobs', status: '202' })).toBe(3);
  expect(grown('headway_http_requests_total', { method: 'POST', route: '/v1/jobs', status: '422' })).toBe(1);
  expect(grown('headway_http_requests_total', { route: 'other', status: '404' })).toBe(3);
  expect(grown('headway_http_requests_total', { route: '/v1/jobs/{id}', status: '200' })).toBe(1);
  expect(grown('headway_http_request_duration_seconds', { route: '/v1/jobs/{id}/events' })).toBe(connects);
  expect(grown('headway_http_errors_total', { code: 'unknown-job' })).toBe(1);
  expect(grown('headway_redis_commands_total', { connection: 'request' })).toBeGreaterThan(10);
  expect(grown('headway_redis_command_duration_seconds', { connection: 'report' })).toBeGreaterThan(0);
  expect(after.value('headway_redis_up')).toBe(1 + headway.workers.length);
  expect(after.value('headway_processes', { role: 'worker' })).toBe(headway.workers.length);
  expect(after.value('headway_queue_workers', { queue: 'steered' })).toBe(headway.workers.length);
  expect(after.value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0);
  expect(after.value('process_resident_memory_bytes')).toBeGreaterThan(1e7);
});

it('exports every metric, and one series for all 60 kinds of another program', async () => {
  const before = await scrapeAll();
  for (const { name, type } of instruments) expect([name, before.types.get(name)]).toEqual([name, type]);
  // Prometheus does not see a series grow that begins with its first event.
  const kinds = ['poem', 'steered', 'webhook'];
  const known: Record<string, Record<string, readonly string[]>> = {
    headway_jobs_queued_total: { kind: kinds },
    headway_job_attempts_total: { kind: [...kinds, 'other'] },
    headway_job_retries_total: { kind: [...kinds, 'other'] },
    headway_job_stalls_total: { kind: [...kinds, 'other'] },
    headway_jobs_finished_total: { kind: [...kinds, 'other'], state: TERMINAL_STATES },
    headway_webhook_calls_total: { outcome: ['delivered', 'rejected', 'failed'] },
    headway_stream_connects_total: { kind: ['channel', 'overview', 'dashboard'] },
    headway_stream_reconnects_total: { kind: ['channel', 'overview', 'dashboard'] },
    headway_stream_resets_total: { reason: RESET_REASONS },
    headway_stream_events_total: { delivery: ['live', 'replay'] },
    headway_redis_commands_total: { connection: ['request', 'subscriber', 'patient', 'bullmq'] },
    headway_redis_outages_total: { connection: ['request', 'subscriber', 'patient', 'bullmq'] },
    headway_redis_outage_seconds_total: { connection: ['request', 'subscriber', 'patient', 'bullmq'] },
    headway_http_errors_total: { code: Object.keys(errorCodes) },
    headway_limit_refusals_total: { limit: Object.keys(LIMITS) },
  };
  // The series of the first would be all paths, methods and statuses. The other one has none without FILES_URL.
  const unknown = ['headway_http_requests_total', 'headway_file_storage_requests_total'];
  const counters = instruments.filter(({ type, labels }) => type === 'counter' && labels.length > 0);
  expect(counters.map(({ name }) => name).sort()).toEqual([...Object.keys(known), ...unknown].sort());
  for (const [name, labels] of Object.entries(known)) {
    const series = before.all.filter((each) => each.name === name);
    for (const [label, values] of Object.entries(labels)) {
      expect(
        series.map((each) => each.labels[label]),
        name,
      ).toEqual(expect.arrayContaining([...values]));
    }
  }

  const bullMq = plainBullMq(headway);
  const queue = bullMq.queue('steered');
  await queue.addBulk(Array.from({ length: FOREIGN_KINDS }, (_, i) => ({ name: `foreign-${i}`, data: {} })));
  // The worker has no definition for them: they fail.
  const after = await until('all have failed', async () => {
    const now = await scrapeAll();
    const grown = growth(before, now);
    return grown('headway_jobs_finished_total', { kind: 'other', state: 'failed' }) === FOREIGN_KINDS
      ? now
      : undefined;
  });
  await bullMq.close();
  // A series per metric and state, not one for each of them. Other kinds may have run for the first time meanwhile.
  const ofOther = ({ all }: Scrape): number => all.filter(({ labels }) => labels.kind === 'other').length;
  expect(ofOther(after) - ofOther(before)).toBeLessThan(FOREIGN_KINDS);
  for (const kind of after.valuesOf('kind')) expect(kind).not.toMatch(/^foreign/);
  await until(
    'the index has them',
    async () =>
      growth(before, await scrapeAll())('headway_jobs', { kind: 'other', state: 'failed' }) === FOREIGN_KINDS,
  );
});

it('says how long the oldest job waits, without the time for which it was delayed', async () => {
  const { client, connection } = headway;
  const age = async (): Promise<number> =>
    (await Scrape.of(headway.api.metrics)).value('headway_oldest_waiting_job_age_seconds', { kind: 'poem' });
  expect(await age()).toBe(0);
  const pause = (how: string): Promise<Response> =>
    fetch(`${headway.api.url}/v1/definitions/poem/${how}`, { method: 'POST', headers: bearer(ADMIN_TOKEN) });
  expect((await pause('pause')).status).toBe(200);
  try {
    const job = await client.start('poem', { words: 'late' });
    // As if it had been queued an hour ago, to run after ten minutes.
    const created = Date.now() - 3_600_000;
    const opts = JSON.parse((await connection.hget(`{headway}:poem:${job.id}`, 'opts'))!);
    const delayed = JSON.stringify({ ...opts, delay: 600_000 });
    await connection.hset(`{headway}:poem:${job.id}`, { timestamp: created, opts: delayed });
    const seconds = await until('it waits', async () => ((await age()) > 60 ? age() : undefined));
    expect(Math.abs(seconds - 3000)).toBeLessThan(60);
    const scrape = await Scrape.of(headway.api.metrics);
    expect(scrape.value('headway_queue_paused', { queue: 'poem' })).toBe(1);
    expect(scrape.value('headway_queue_jobs', { queue: 'poem', state: 'waiting' })).toBe(1);
    await client.cancel(job);
  } finally {
    await pause('resume');
  }
});
