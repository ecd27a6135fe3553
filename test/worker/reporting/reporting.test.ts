import { describe, expect, it } from 'vitest';
import { createReporting } from '../../../src/worker/reporting/context.js';
import type { ReportSink } from '../../../src/worker/reporting/sink.js';
import { jobFiles } from '../../../src/worker/run/job-files.js';
import { openTestStore } from '../../support/run-job.js';

/** Reporting to a sink that accepts reports only on request. */
function reportingTo({ takesWhenPolled = false } = {}) {
  const events: Array<[string, Record<string, unknown>]> = [];
  let waiting: Array<() => void> = [];
  const take = (): void => {
    const now = waiting;
    waiting = [];
    for (const taken of now) taken();
  };
  const sink: ReportSink = {
    progress: () => undefined,
    bullMqProgress: () => undefined,
    event(name, json, onDone) {
      events.push([name, JSON.parse(json)]);
      if (onDone) waiting.push(onDone);
    },
    bullMqLog: (_line, onDone) => void (onDone && waiting.push(onDone)),
    lost: () => {},
    warn: () => {},
    watchers: async () => 0,
    poll: () => takesWhenPolled && take(),
    delivered: async () => take(),
    drop: () => {},
  };
  const reporting = createReporting({
    jobId: '1',
    attempt: 1,
    stages: undefined,
    limits: { progressIntervalMs: 100, partialMaxBytes: 1e9, logLines: 100_000 },
    files: jobFiles(openTestStore(), '1', ''),
    sink,
  });
  return { context: reporting.context(new AbortController().signal), reporting, events, take };
}

describe('P11: the reports of a run', () => {
  it('are all sent when the job does not yield, because acknowledgements are polled at the limit', async () => {
    const { context, reporting, events } = reportingTo({ takesWhenPolled: true });
    for (let i = 0; i < 25_000; i++) void context.emit('tick', i);
    await reporting.flush();
    expect(events.map(([, { data }]) => data)).toEqual(Array.from({ length: 25_000 }, (_, i) => i));
  });

  it('include the number of missing reports at their position when the job does not wait', async () => {
    const { context, reporting, events, take } = reportingTo();
    for (let i = 0; i < 10_003; i++) void context.emit('tick', i);
    void context.log('too late');
    take();
    void context.emit('tick', 'again');
    await reporting.flush();
    expect(events).toHaveLength(10_002);
    expect(events.at(-2)![1]).toMatchObject({ level: 'warn', missing: { event: 3, log: 1 } });
    expect(events.at(-1)![1]).toMatchObject({ data: 'again' });
  });

  it.each([
    ['messages', 40, () => ['info', 'x'.repeat(8000)] as const],
    ['fields', 20, () => ['info', 'x', { much: 'x'.repeat(16_000) }] as const],
  ])('make a job wait by the size of its log lines, including: %s', async (_what, count, line) => {
    const { context, take } = reportingTo();
    let waits = false;
    for (let i = 0; i < count && !waits; i++) {
      waits = true;
      const said = context.log(...(line() as [never, string])).then(() => {
        waits = false;
      });
      await new Promise(setImmediate);
      if (!waits) continue;
      take();
      await said;
      return;
    }
    expect.unreachable('it never waited');
  });
});
