import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StartedJob } from '../support/client.js';
import { type Headway, startHeadway } from '../support/headway.js';
import { inThread, jobsDir } from '../support/jobs.js';
import { openStream, type ReceivedEvent, type TestStream } from '../support/sse.js';
import { until } from '../support/until.js';

let headway: Headway;
let turns = 0;
beforeAll(async () => {
  const JOBS_DIR = jobsDir('steered', inThread('steered'));
  headway = await startHeadway({ env: { JOB_LOG_LINES: '5', PARTIAL_MAX_BYTES: '1000', JOBS_DIR } });
});
afterAll(() => headway.stop());

describe.each(['steered', 'steered-thread'])('the reports of a job (%s)', (name) => {
  const watch = (job: StartedJob, lastEventId?: string): Promise<TestStream> =>
    openStream(headway.client.events(job), { token: job.token, lastEventId });

  /** Starts a job that follows commands, and watches it. */
  async function start(options?: Record<string, unknown>) {
    const list = `turns:${++turns}`;
    const job = await headway.client.start(name, { turns: list }, options);
    const stream = await watch(job);
    const tell = (...what: string[]) => headway.connection.lpush(list, ...what);
    return { job, stream, tell };
  }
  const partialsOf = ({ events }: { events: ReceivedEvent[] }) =>
    events
      .filter(({ event }) => event === 'partial')
      .map(({ data }) => [data.attempt, data.index, data.text ?? data.chunks]);
  const errorOf = ({ events }: TestStream) => events.at(-1)!.data.error.message;

  it('include custom events, in order, even for viewers that join late', async () => {
    const { job, stream, tell } = await start();
    await tell('emit {"type":"row","data":{"n":1}}', 'emit {"type":"row","data":{"n":2}}');
    const first = await stream.waitFor('row');
    await tell('emit {"type":"x:done","data":["é"]}', 'end');
    await stream.ended;
    const expected = [
      ['row', { n: 1 }],
      ['row', { n: 2 }],
      ['x:done', ['é']],
    ];
    const custom = ({ events }: TestStream) =>
      events.filter(({ event }) => ['row', 'x:done'].includes(event)).map((e) => [e.event, e.data.data]);
    expect(custom(stream)).toEqual(expected);
    expect(first.data).toEqual({ jobId: job.id, attempt: 1, data: { n: 1 }, at: expect.any(Number) });
    const late = await watch(job);
    await late.ended;
    expect(custom(late)).toEqual(expected);
    const back = await watch(job, first.id);
    await back.ended;
    expect(custom(back)).toEqual(expected.slice(1));
  });

  it('cannot use the name of a Headway event', async () => {
    const { stream, tell } = await start();
    await tell('emit {"type":"completed","data":1}');
    await stream.ended;
    expect(stream.names()).toEqual(['waiting', 'active', 'failed']);
    expect(errorOf(stream)).toBe('emit(): the type "completed" is reserved');
  });

  it('include a partial result: joined, in order, before the end, and complete for late and returning viewers', async () => {
    const { job, stream, tell } = await start();
    await tell('partial ["a"]');
    const first = await stream.waitFor('partial');
    await tell('partial ["b","c",{"d":1},2,"e"]', 'end');
    await stream.ended;
    // How chunks are joined depends on timing; the result does not.
    const flat = (seen: TestStream) => {
      const parts = partialsOf(seen);
      parts.forEach(([, index, content], i) => {
        const next = parts[i + 1];
        if (next) expect(next[1] - index).toBe(content.length);
      });
      return parts.flatMap(([, , content]) => (typeof content === 'string' ? [...content] : content));
    };
    expect(first.data).toEqual({ jobId: job.id, attempt: 1, index: 0, text: 'a', at: expect.any(Number) });
    expect(flat(stream)).toEqual(['a', 'b', 'c', { d: 1 }, 2, 'e']);
    expect(stream.names().at(-1)).toBe('completed');
    const late = await watch(job);
    await late.ended;
    expect(partialsOf(late)).toEqual(partialsOf(stream));
    const back = await watch(job, first.id);
    await back.ended;
    expect(partialsOf(back)).toEqual(partialsOf(stream).slice(1));
  });

  it('start the partial result again in the next attempt', async () => {
    const { stream, tell } = await start({ attempts: 2 });
    await tell('partial ["x","y"]', 'fail');
    await stream.waitFor('retrying');
    await tell('partial ["z"]', 'end');
    await stream.ended;
    expect(partialsOf(stream)).toEqual([
      [1, 0, 'x'],
      [1, 1, 'y'],
      [2, 0, 'z'],
    ]);
  });

  it('are limited for a partial result, with an error that names the setting', async () => {
    const { stream, tell } = await start();
    await tell(`partial ["${'x'.repeat(900)}"]`, `partial ["${'x'.repeat(90)}", "${'y'.repeat(90)}"]`);
    await stream.ended;
    expect(partialsOf(stream).map(([, , text]) => text.length)).toEqual([900, 90]);
    expect(errorOf(stream)).toMatch(/limited to 1000 bytes \(PARTIAL_MAX_BYTES\)/);
  });

  it('are limited in log lines, which are also in the log of BullMQ', async () => {
    const { job, stream, tell } = await start({ attempts: 2 });
    for (let i = 1; i <= 8; i++) await tell(`log line ${i}`);
    await tell('fail');
    await stream.waitFor('retrying');
    await tell('log again', 'end');
    await stream.ended;
    const lines = stream.events.filter(({ event }) => event === 'log').map(({ data }) => data);
    expect(lines.map(({ attempt, level, message }) => `${attempt} ${level} ${message}`)).toEqual([
      ...[1, 2, 3, 4, 5].map((i) => `1 info line ${i}`),
      '1 warn log limit of 5 lines reached (JOB_LOG_LINES); further lines of this attempt are dropped',
      '1 warn 3 log lines over the limit were dropped',
      '2 info again',
    ]);
    const queue = new Queue(name, { connection: headway.connection, prefix: '{headway}' });
    const logs = await until('BullMQ has the last line', async () => {
      const kept = await queue.getJobLogs(job.id);
      return kept.logs.at(-1)?.endsWith('info again') ? kept.logs : undefined;
    });
    expect(logs).toHaveLength(5);
    expect(logs[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z info line 4$/);
    await queue.close();
  });
});
