import { describe, expect, it } from 'vitest';
import { JobLog, type LogLine, lineText, missingLine } from '../../../src/worker/reporting/job-log.js';

function logOf({ maxLines = 10_000 } = {}) {
  const lines: LogLine[] = [];
  const log = new JobLog({ maxLines, publish: (line) => void lines.push(line) });
  return { log, lines };
}

describe('the log of a job', () => {
  it('keeps the order and truncates long messages', () => {
    const { log, lines } = logOf();
    log.write('info', 'x'.repeat(20_000));
    for (let i = 0; i < 3; i++) log.write('info', String(i), { i });
    expect(lines.map(({ message }) => message)).toEqual([`${'x'.repeat(10_000)}… (cut)`, '0', '1', '2']);
  });

  it('drops lines over its limit, warns at once, and reports their number at the end', () => {
    const { log, lines } = logOf({ maxLines: 3 });
    for (let i = 1; i <= 8; i++) log.write('info', `line ${i}`);
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info line 1',
      'info line 2',
      'info line 3',
      'warn log limit of 3 lines reached (JOB_LOG_LINES); further lines of this attempt are dropped',
    ]);
    log.finish();
    log.finish();
    expect(lines).toHaveLength(5);
    expect(lines.at(-1)).toMatchObject({
      level: 'warn',
      message: '5 log lines over the limit were dropped',
    });
  });

  it('replaces fields that cannot be published with a note', () => {
    const { log, lines } = logOf();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const fields of [{ a: 1 }, circle, { n: 1n }, { long: 'x'.repeat(16 * 1024) }]) {
      log.write('info', 'line', fields);
    }
    expect(lines.map(({ fields }) => fields)).toEqual([
      { a: 1 },
      { omitted: expect.stringMatching(/^the value of fields cannot be converted to JSON: .*circular/i) },
      { omitted: expect.stringMatching(/^the value of fields cannot be converted to JSON: .*BigInt/) },
      { omitted: 'the value of fields is 16395 bytes as JSON; the limit is 16384' },
    ]);
  });

  it('reports missing entries by kind and reason in one line', () => {
    expect(missingLine({ log: 3, partial: 1 })).toMatchObject({
      level: 'warn',
      message: '3 log lines, 1 partial results dropped: the job reported faster than Redis accepts',
      missing: { log: 3, partial: 1 },
    });
    expect(missingLine({ other: 7 }).message).toBe('7 reports dropped: Redis lost or refused them');
  });

  it('formats a line as text for other tools', () => {
    const line: LogLine = { level: 'warn', message: 'low', fields: { left: 3 }, at: 0 };
    expect(lineText(line)).toBe('1970-01-01T00:00:00.000Z warn low {"left":3}');
  });
});
