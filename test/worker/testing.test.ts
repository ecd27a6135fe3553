import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/shared/jobs/definition.js';
import { runJob } from '../../src/worker/testing.js';

const double = defineJob({
  name: 'double',
  input: z.object({ of: z.coerce.number() }),
  result: z.number().max(100),
  run: ({ of }) => of * 2,
});

const walk = defineJob({
  name: 'walk',
  input: z.object({ steps: z.number() }),
  result: z.object({ doubled: z.number(), at: z.date() }),
  events: { arrived: z.object({ at: z.date() }) },
  stages: { prepare: 1, go: 3 },
  async run({ steps }, ctx) {
    ctx.stage('prepare');
    ctx.progress(100);
    ctx.stage('go');
    for (let step = 1; step <= steps; step++) {
      ctx.signal.throwIfAborted();
      ctx.progress({ current: step, total: steps });
    }
    ctx.log('arrived');
    ctx.log('warn', 'tired', { attempt: ctx.attempt });
    ctx.partial('a piece');
    ctx.emit('arrived', { at: new Date(0) });
    return { doubled: await ctx.child(double, { of: steps }), at: new Date(0) };
  },
});

describe('runJob', () => {
  it('returns what viewers of the job would see', async () => {
    const { result, progress, events, logs, partials } = await runJob(walk, { steps: 2 }, { attempt: 3 });
    expect(result).toEqual({ doubled: 4, at: '1970-01-01T00:00:00.000Z' });
    expect(progress.map(({ percent, stage }) => [percent, stage])).toEqual([
      [25, 'prepare'],
      [62.5, 'go'],
      [100, 'go'],
    ]);
    expect(events).toEqual([{ event: 'arrived', data: { at: '1970-01-01T00:00:00.000Z' } }]);
    expect(events[0]?.data.at.slice(0, 4)).toBe('1970');
    expect(logs).toEqual([
      { level: 'info', message: 'arrived' },
      { level: 'warn', message: 'tired', fields: { attempt: 3 } },
    ]);
    expect(partials).toEqual(['a piece']);
  });

  it('checks data, result and events against the schemas', async () => {
    await expect(runJob(double, { of: 'two' as never })).rejects.toThrow(/^invalid job data: \/of: /);
    await expect(runJob(double, { of: 51 })).rejects.toThrow(/^invalid job result: \/: /);
    const wrong = defineJob({ ...walk, run: (_, ctx) => ctx.emit('lost' as never, {} as never) as never });
    await expect(runJob(wrong, { steps: 1 })).rejects.toThrow('"lost" is not in the `events`');
  });

  it('stops with its signal, and says what it lacks', async () => {
    const reason = new Error('cancelled');
    await expect(runJob(walk, { steps: 2 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const reader = defineJob({ ...double, run: async (_, ctx) => (await ctx.files.open('x')).size });
    await expect(runJob(reader, { of: 1 })).rejects.toThrow('give runJob() the option `files`');
    const parent = defineJob({ ...double, run: (_, ctx) => ctx.child<number>('other', {}) });
    await expect(runJob(parent, { of: 1 })).rejects.toThrow(
      'runJob() needs the definition of the child "other"',
    );
  });
});
