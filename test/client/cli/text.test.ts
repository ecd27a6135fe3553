import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explain } from '../../../src/client/cli/problem.js';
import { progressBar, progressText } from '../../../src/client/cli/terminal/bar.js';
import { createPaint, hasColours } from '../../../src/client/cli/terminal/colour.js';
import { columnsOf, cut, pad, safeJson, safeLine, safeLines } from '../../../src/client/cli/terminal/text.js';
import { clock, span } from '../../../src/client/cli/terminal/units.js';
import { unreachable } from '../../../src/client/errors.js';
import { amount, bytes } from '../../../src/client/format.js';
import type { Progress } from '../../../src/client/types.js';
import { anyText } from '../../support/any-text.js';

it('a service whose certificate is not trusted is told from one that does not run', () => {
  const failed = (code: string) => explain(unreachable('https://h/', { cause: { code } }));
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']) {
    expect(failed(code)).toMatch(/^Cannot reach https:\/\/h\/ .* not trusted.* NODE_EXTRA_CA_CERTS/);
  }
  expect(failed('ECONNREFUSED')).toMatch(/Is the service running/);
});

/** Malicious texts. */
const wild = fc
  .array(
    fc.oneof(
      anyText(),
      fc.constantFrom(
        '\x1b[2J',
        '\x1b]0;title\x07',
        '\x1b',
        '\x9b31m',
        '\r',
        '\n',
        '日本',
        '👩‍👩‍👧',
        'e\u0301',
        '\u202e',
      ),
    ),
  )
  .map((parts) => parts.join(''));

const plain = createPaint(false);

describe('foreign text', () => {
  it.each([
    ['\x1b[2J\x1b[31mred\x1b[0m', ['red']],
    ['\x1b]0;owned\x07here', ['here']],
    ['\x1b[2Jcleared\x07', ['cleared\ufffd']],
    ['\x1b]0;no end', ['0;no end']],
    ['\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\', ['link']],
    ['10%\r20%\r\nnext\nlast', ['10%', '20%', 'next', 'last']],
    ['bell\x07 back\b c1\x9b31m', ['bell\ufffd back\ufffd c1']],
    ['a\u202egnp.exe', ['a\ufffdgnp.exe']],
    ['a\tb', ['a    b']],
  ])('%j is shown as %j', (text, lines) => {
    expect(safeLines(text)).toEqual(lines);
  });

  it('contains no control characters after cleaning', () => {
    fc.assert(
      fc.property(wild, (text) => {
        expect(safeLine(text)).not.toMatch(/\p{Cc}|[\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });

  it('keeps its value as JSON, without control characters', () => {
    fc.assert(
      fc.property(wild, (text) => {
        expect(JSON.parse(safeJson({ text }))).toEqual({ text });
        expect(safeJson({ text }, 2).replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      }),
    );
    expect(safeJson(undefined)).toBe('null');
  });

  it('is cut to columns, not characters', () => {
    expect(cut('日本語です', 6)).toBe('日本…');
    expect(cut('日本語', 6)).toBe('日本語');
    expect(cut('abc', 0)).toBe('');
    expect(columnsOf(pad('日本', 6))).toBe(6);
    fc.assert(
      fc.property(wild, fc.nat(40), (text, columns) => {
        expect(columnsOf(cut(safeLine(text), columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });
});

describe('the bar', () => {
  const progress: Progress = {
    jobId: 'x',
    attempt: 1,
    at: 0,
    percent: 42.9,
    current: 425,
    total: 1000,
    unit: 'rows',
    stage: 'import',
    stageIndex: 2,
    stageCount: 3,
    ratePerSecond: 118.2,
    etaMs: 4865,
    message: 'Importing people',
  };

  it('shows percent, stage, counts, rate, remaining time and message', () => {
    expect(progressText(progress)).toBe(
      ' 42%  import (2/3)  425/1,000 rows  118/s  0:05 left  Importing people',
    );
    expect(progressBar(progress, 110, plain, 0)).toMatch(/^█{12}░{18} {2}42% /);
  });

  it('drops less important parts in a narrow terminal', () => {
    expect(progressBar(progress, 40, plain, 0)).toBe('████░░░░░░  42%  import (2/3)  0:05 left');
    expect(progressBar(progress, 24, plain, 0)).toBe('██░░░░  42%  0:05 left');
    expect(progressBar(progress, 10, plain, 0)).toBe(' 42%');
  });

  it('moves while the progress is unknown', () => {
    const unknown = { ...progress, percent: null };
    expect(progressBar(unknown, 100, plain, 0)).not.toBe(progressBar(unknown, 100, plain, 100));
    expect(progressText({ jobId: 'x', attempt: 1, at: 0, percent: null })).toBe('running');
  });

  it('is empty for a job that ended without progress, but never for a running one', () => {
    const unknown = { ...progress, percent: null, current: undefined, total: undefined };
    expect(progressBar(unknown as unknown as Progress, 100, plain, undefined)).toMatch(/^░{30} /);
    expect(progressBar(unknown as unknown as Progress, 100, plain, 0)).toMatch(/^█░{29} /);
  });

  it('shows how long a job has been stalled instead of an estimate, and the elapsed time', () => {
    expect(progressText({ ...progress, message: '', stalledMs: 14_000, elapsedMs: 75_000 })).toBe(
      ' 42%  import (2/3)  425/1,000 rows  118/s  stalled for 0:14  1:15 elapsed',
    );
  });

  it('formats bytes with binary units', () => {
    expect(
      progressText({ ...progress, unit: 'bytes', current: 1536, total: 3 << 20, stage: '', message: '' }),
    ).toBe(' 42%  1.5 KiB of 3 MiB  118 B/s  0:05 left');
  });

  it('is never wider than the terminal', () => {
    const any = fc.record({
      percent: fc.option(fc.double({ min: 0, max: 100, noNaN: true })),
      current: fc.option(fc.nat(), { nil: undefined }),
      total: fc.option(fc.nat(), { nil: undefined }),
      unit: fc.option(fc.oneof(wild, fc.constant('bytes')), { nil: undefined }),
      stage: fc.option(wild, { nil: undefined }),
      message: fc.option(wild, { nil: undefined }),
      etaMs: fc.option(fc.nat(), { nil: undefined }),
      ratePerSecond: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(any, fc.integer({ min: 8, max: 200 }), fc.nat(), (fields, columns, now) => {
        const line = progressBar(
          { jobId: 'x', attempt: 1, at: 0, ...fields } as Progress,
          columns,
          plain,
          now,
        );
        expect(columnsOf(line)).toBeLessThanOrEqual(columns);
        expect(line).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe('units', () => {
  it.each([
    [clock(0), '0:00'],
    [clock(4200), '0:05'],
    [clock(3_723_000), '1:02:03'],
    [span(340), '340 ms'],
    [span(12_500), '12.5 s'],
    [span(3 * 86_400_000), '3 d'],
    [bytes(0), '0 B'],
    [bytes(1023), '1,023 B'],
    [bytes(1024 ** 3), '1 GiB'],
    [amount(1234567, 'rows'), '1,234,567 rows'],
    [amount(0.26), '0.3'],
  ])('%s', (given, expected) => expect(given).toBe(expected));
});

describe('colours', () => {
  const terminal = { isTTY: true };
  it.each([
    [terminal, {}, true],
    [{}, {}, false],
    [terminal, { NO_COLOR: '1' }, false],
    [terminal, { NO_COLOR: '' }, true],
    [terminal, { TERM: 'dumb' }, false],
    [{}, { FORCE_COLOR: '1' }, true],
    [{}, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
    [terminal, { FORCE_COLOR: '0' }, false],
  ])('of %j with %j: %s', (stream, env, expected) => {
    expect(hasColours(stream, env)).toBe(expected);
  });
});
