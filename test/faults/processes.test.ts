import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { CountingViewer } from '../support/counting-viewer.js';
import { ADMIN_TOKEN } from '../support/dashboard.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { writeJobs } from '../support/jobs.js';
import { startLoad } from '../support/load.js';
import { processesOf, startApi, startWorker, type TestProcess } from '../support/processes.js';
import { Scrape } from '../support/prometheus.js';
import { openStream, watchToEnd } from '../support/sse.js';
import { bearer } from '../support/tokens.js';
import { until } from '../support/until.js';

const VIEWERS = 8;
const CHANNEL = 'public.count';
const SEVERAL = { API_PROCESSES: '2', WORKER_PROCESSES: '2' };
const REPLACED = '"msg":"all processes are replaced"';

const times = (text: string, part: string): number => text.split(part).length - 1;

/** Returns the processes under a supervisor. */
function under({ child }: TestProcess): number[] {
  const path = `/proc/${child.pid}/task/${child.pid}/children`;
  return readFileSync(path, 'utf8').trim().split(' ').filter(Boolean).map(Number).sort();
}

const nobodyIsLeft = (...pids: number[]): Promise<unknown> =>
  until(`none of ${pids} is left`, () => pids.every((pid) => !isAlive(pid)));

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('processes under a supervisor', () => {
  const jobs = writeJobs({});
  let headway: Headway;
  let worker: TestProcess;
  beforeAll(async () => {
    headway = await startHeadway({
      env: {
        ...SEVERAL,
        ADMIN_TOKEN,
        JOBS_DIR: jobs,
        LOG_LEVEL: 'info',
        LOG_REQUESTS: 'off',
        SHUTDOWN_GRACE_MS: '2000',
        CHANNEL_RULES: JSON.stringify([{ channel: 'public.**', subscribe: 'anyone', publish: 'anyone' }]),
      },
    });
    worker = headway.workers[0]!;
  });
  afterAll(async () => {
    await headway?.stop();
    await until('no process is left', () => processesOf(headway.env.DATA_DIR!).length === 0);
  });

  function watchNumbers(url: string): CountingViewer[] {
    const stream = new URL(`${url}/stream?channel=${CHANNEL}`);
    const viewers = Array.from({ length: VIEWERS }, () => new CountingViewer(stream));
    onTestFinished(() => {
      for (const viewer of viewers) viewer.close();
    });
    return viewers;
  }

  const names = async (): Promise<string> => (await fetch(`${headway.api.url}/v1/definitions`)).text();

  // The first one: the next one replaces the processes after the mistake is mended.
  it('stay when a restart fails', async () => {
    const { api } = headway;
    const before = under(api);
    const broken = join(jobs, 'broken.mjs');
    writeFileSync(broken, 'export default {');
    api.child.kill('SIGHUP');
    await until('the restart has ended', () => api.output().includes('the restart ends'));
    expect(api.output()).toMatch(/^error: .*broken\.mjs/m);
    expect(api.output()).not.toContain(REPLACED);
    expect(under(api)).toEqual(before);
    rmSync(broken);
  });

  it('are replaced one at a time on SIGHUP: nothing is missed, refused or lost', async () => {
    const { api, client } = headway;
    const earlier = api.output().length;
    const output = (): string => api.output().slice(earlier);
    const viewers = watchNumbers(api.url);
    await until('all viewers are there', () => viewers.every(({ connections }) => connections > 0));
    const spread = await Scrape.of(api.metrics);
    for (const process of ['1', '2']) {
      expect(spread.value('headway_stream_viewers', { process })).toBeGreaterThan(0);
    }

    const publishing = startLoad(`${api.url}/v1/channels/${CHANNEL}`, 200, {
      body: (n) => ({ data: { n } }),
      pauseMs: 50,
    });
    const steps = { name: 'steps', data: { count: 3, intervalMs: 20 } };
    const starting = startLoad(`${api.url}/v1/jobs`, 202, { body: () => steps, pauseMs: 200 });
    const checking = startLoad(`${api.url}/readyz`, 200, { pauseMs: 50 });
    const loads = [publishing, starting, checking];
    onTestFinished(async () => void (await Promise.all(loads.map((load) => load.stop()))));
    // Longer than the grace period: a worker hands it back, and another one finishes it.
    const long = await client.start('steps', { count: 150, intervalMs: 20 });
    const longStream = watchToEnd(client.events(long), long.token);

    const before = [...under(api), ...under(worker)];
    expect(before.length).toBe(4);
    for (const { child } of [api, worker]) child.kill('SIGHUP');
    // A change between two signals is not missed: the second one begins another restart after the first.
    await until('it has begun', () => output().includes('one at a time'));
    expect(await names()).not.toContain('"added"');
    // Renamed, so that no process reads a part of it.
    writeFileSync(
      join(jobs, 'added.new'),
      `import { defineJob } from 'headway-jobs';
import { z } from 'zod';
export default defineJob({ name: 'added', input: z.strictObject({}), result: z.null(), run: async () => null });
`,
    );
    renameSync(join(jobs, 'added.new'), join(jobs, 'added.mjs'));
    api.child.kill('SIGHUP');
    await until(
      () => `all are replaced: ${output()}`,
      () => times(output(), REPLACED) === 2 && worker.output().includes(REPLACED),
      120_000,
    );
    expect(await names()).toContain('"added"');
    const after = [...under(api), ...under(worker)];
    expect(after.length).toBe(4);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);

    const published = await publishing.stop();
    await Promise.all([starting.stop(), checking.stop()]);
    expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
    await until('all viewers have the last number', () => viewers.every(({ last }) => last === published));
    expect(viewers.flatMap(({ faults }) => faults)).toEqual([]);
    for (const { connections } of viewers) expect(connections).toBeGreaterThan(1);

    const started = starting.answers.map((text) => JSON.parse(text) as StartedJob);
    const streams = await Promise.all([
      longStream,
      ...started.map((job) => watchToEnd(client.events(job), job.token)),
    ]);
    expect(streams.length).toBeGreaterThan(10);
    for (const stream of streams) {
      expect(stream.names().at(-1)).toBe('completed');
      expect(stream.names()).not.toContain('stalled');
      expect(stream.names()).not.toContain('retrying');
    }
    for (const text of [output(), worker.output()]) expect(text).not.toMatch(/"level":(50|60)/);

    // One target has the metrics of all of them, and so has the main port.
    const scrape = await Scrape.of(api.metrics);
    expect(scrape.value('headway_stream_viewers')).toBe(VIEWERS);
    expect(scrape.value('headway_build_info', { role: 'api' })).toBe(2);
    expect(scrape.value('headway_process_crashes_total')).toBe(0);
    const answer = await fetch(`${api.url}/metrics`, { headers: bearer(ADMIN_TOKEN) });
    const own = await answer.text();
    for (const process of scrape.valuesOf('process')) expect(own).toContain(`process="${process}"`);
    expect((await Scrape.of(worker.metrics)).value('headway_build_info', { role: 'worker' })).toBe(2);
    // On a busy machine, each of the six starts, one after another, takes several seconds.
  }, 180_000);

  it('are replaced when they crash, and their viewers go on', async () => {
    const { api } = headway;
    const viewers = watchNumbers(api.url);
    await until('all viewers are there', () => viewers.every(({ connections }) => connections > 0));
    const publishing = startLoad(`${api.url}/v1/channels/${CHANNEL}`, 200, {
      body: (n) => ({ data: { n } }),
      pauseMs: 50,
    });
    onTestFinished(async () => void (await publishing.stop()));
    await until('all viewers see the numbers', () => viewers.every(({ last }) => last > 0));
    const victims = [under(api)[0]!, under(worker)[0]!];
    for (const pid of victims) process.kill(pid, 'SIGKILL');
    for (const supervisor of [api, worker]) {
      await until('another one is up', async () => {
        const scrape = await Scrape.of(supervisor.metrics);
        return (
          scrape.value('headway_build_info') === 2 && scrape.value('headway_process_crashes_total') === 1
        );
      });
      expect(under(supervisor).length).toBe(2);
      expect(supervisor.output()).toMatch(/"signal":"SIGKILL".*"msg":"a process ended unexpectedly/);
    }
    await until('some viewers have come back', () => viewers.some(({ connections }) => connections > 1));
    // The connection of the publisher may have been to the process that was killed.
    const published = await publishing.stop();
    await until('all viewers have the last number', () => viewers.every(({ last }) => last >= published - 1));
    // A call that was cut off by the kill may have published nothing.
    const cutOff = publishing.failures.map((failure) => (failure as [string, number])[1]);
    const gaps = cutOff.map((n) => `${n + 1} after ${n - 1}`);
    expect(viewers.flatMap(({ faults }) => faults).filter((fault) => !gaps.includes(fault))).toEqual([]);
  });

  it('tell their viewers to reconnect, and stop, when the supervisor is killed', async () => {
    const { api, client, connection } = headway;
    const job = await client.start('steps', { count: 1000, intervalMs: 100 });
    const streams = await Promise.all(
      Array.from({ length: 4 }, () => openStream(client.events(job), { token: job.token })),
    );
    const left = [...under(api), ...under(worker)];
    for (const supervisor of [api, worker]) await supervisor.kill('SIGKILL');
    await Promise.all(streams.map(({ ended }) => ended));
    for (const stream of streams) expect(stream.raw()).toMatch(/\nretry: \d+\n\n$/);
    await nobodyIsLeft(...left);
    // The workers have handed back their job.
    await until('no job is active', async () => (await connection.llen('{headway}:steps:active')) === 0);
  });

  it('all stop on SIGTERM, also during a restart', async () => {
    const { env } = headway;
    const supervisors = await Promise.all([startApi(env), startWorker(env)]);
    const [api, worker] = supervisors;
    // Connections without a request: a process that is replaced waits until they end.
    const { hostname, port } = new URL(api!.url);
    const idle = Array.from({ length: 4 }, () => connect(Number(port), hostname).on('error', () => {}));
    onTestFinished(() => {
      for (const socket of idle) socket.destroy();
    });
    for (const { child } of supervisors) child.kill('SIGHUP');
    // The worker is starting a process, and an API process has been stopping for more than a second, in which a second signal
    // would count as the first one.
    await until('a third process is there', () => under(worker!).length === 3);
    const [, time] = await until('a process is stopping', () =>
      /"time":(\d+).*"reason":"replaced by another process"/.exec(api!.output()),
    );
    await until('a second has passed', () => Date.now() - Number(time) > 1100);
    const all = supervisors.flatMap(under);
    await Promise.all(supervisors.map((supervisor) => supervisor.stop()));
    for (const { child, output } of supervisors) {
      expect(child.exitCode, output()).toBe(0);
      expect(output()).not.toMatch(/"level":(50|60)|exiting at once/);
    }
    expect(all.filter(isAlive)).toEqual([]);
  });

  it('end with one line and exit code 78 if they cannot run, and give up if they crash at their start', async () => {
    const { env } = headway;
    const single = await startApi({ ...env, API_PROCESSES: '1' });
    onTestFinished(() => single.kill());
    expect(single.output()).not.toContain('"process":');
    const crashing = writeJobs({ 'crash.mjs': 'process.exit(3);\n' });
    const [taken, crashed] = await Promise.allSettled([
      startApi({ ...env, PORT: new URL(single.url).port }),
      startWorker({ ...env, JOBS_DIR: crashing }),
    ]);
    expect(taken).toMatchObject({ status: 'rejected', reason: { code: 78 } });
    const { output } = (taken as PromiseRejectedResult).reason as { output: string };
    expect(output.match(/^error: .*/gm)).toEqual([expect.stringMatching(/^error: PORT: \d+ is in use/)]);
    expect(crashed).toMatchObject({ status: 'rejected', reason: { code: 1 } });
    expect(String((crashed as PromiseRejectedResult).reason)).toContain('giving up');
  });
});
