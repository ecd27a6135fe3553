import { describe, expect, it, vi } from 'vitest';
import { JobLog, type LogLine, lineText } from '../../src/worker/job-log.js';

function logOf({ maxLines = 10_000, publish = async () => {} }: Options = {}) {
  const lines: LogLine[] = [];
  const log = new JobLog({
    maxLines,
    publish: (line) => {
      lines.push(line);
      return publish();
    },
    warn: () => {},
  });
  return { log, lines };
}
interface Options {
  maxLines?: number;
  publish?: () => Promise<void>;
}

describe('the log of a job', () => {
  it('keeps the order, cuts what is too long, and says how much it left out', async () => {
    const waiting: Array<() => void> = [];
    const { log, lines } = logOf({ publish: () => new Promise<void>((resolve) => waiting.push(resolve)) });
    log.write('info', 'x'.repeat(20_000));
    for (let i = 0; i < 1500; i++) log.write('info', String(i), { i });
    expect(lines).toHaveLength(1000);
    expect(lines[0]!.message).toMatch(/^x{10000}… \(cut\)$/);
    const flushed = log.flush();
    for (const resolve of waiting.splice(0)) resolve();
    await vi.waitFor(() =>
      expect(lines.at(-1)!.message).toBe('501 log lines left out: they came faster than Redis took them'),
    );
    for (const resolve of waiting) resolve();
    await flushed;
  });

  it('takes no more than its limit, says so at once, and how many were left out at the end', async () => {
    const { log, lines } = logOf({ maxLines: 3 });
    for (let i = 1; i <= 8; i++) log.write('info', `line ${i}`);
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info line 1',
      'info line 2',
      'info line 3',
      'warn 3 lines written (JOB_LOG_LINES): further ones of this attempt are left out',
    ]);
    await log.flush();
    await log.flush();
    expect(lines).toHaveLength(5);
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      message: '5 log lines over the limit were left out',
    });
  });

  it('puts a note in the place of fields that it cannot carry', () => {
    const { log, lines } = logOf();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const fields of [{ a: 1 }, circle, { n: 1n }, { long: 'x'.repeat(16 * 1024) }]) {
      log.write('info', 'line', fields);
    }
    expect(lines.map(({ fields }) => fields)).toEqual([
      { a: 1 },
      { omitted: expect.stringMatching(/^what the line had has no JSON form: .*circular/i) },
      { omitted: expect.stringMatching(/^what the line had has no JSON form: .*BigInt/) },
      { omitted: 'what the line had is 16395 bytes as JSON; at most 16384 are allowed' },
    ]);
  });

  it('has a form in one line for other tools', () => {
    const line: LogLine = { level: 'warn', message: 'low', fields: { left: 3 }, at: 0 };
    expect(lineText(line)).toBe('1970-01-01T00:00:00.000Z warn low {"left":3}');
  });
});
