import { describe, expect, it } from 'vitest';
import { createReporting } from '../../../src/worker/reporting/context.js';
import type { ReportSink } from '../../../src/worker/reporting/sink.js';
import { jobFiles } from '../../../src/worker/run/job-files.js';
import { openTestStore } from '../../support/run-job.js';

/** Reporting to an outlet that keeps everything until it is told, or asked, to take it. */
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
    event(name, json, onTaken) {
      events.push([name, JSON.parse(json)]);
      if (onTaken) waiting.push(onTaken);
    },
    bullMqLog: (_line, onTaken) => void (onTaken && waiting.push(onTaken)),
    warn: () => {},
    watchers: async () => 0,
    poll: () => takesWhenPolled && take(),
    landed: async () => take(),
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

describe('P11: what one run says', () => {
  it('is all sent by a job that never yields, since what Redis took is asked for when the bound is reached', async () => {
    const { context, reporting, events } = reportingTo({ takesWhenPolled: true });
    for (let i = 0; i < 25_000; i++) void context.emit('tick', i);
    await reporting.flush();
    expect(events.map(([, { data }]) => data)).toEqual(Array.from({ length: 25_000 }, (_, i) => i));
  });

  it('says how much is missing of a job that does not wait, in the place where it is', async () => {
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
  ])(
    'has a job wait by the bytes of its lines, with all that belongs to them: %s',
    async (_what, count, line) => {
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
    },
  );
});
