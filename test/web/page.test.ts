import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../src/client/errors.js';
import type { JobEvent, JobEventData, JobNow } from '../../src/client/types.js';
import { emptyJob } from '../../src/client/view.js';
import { type Definition, problemMessage } from '../../src/web/src/api';
import { exampleFor } from '../../src/web/src/form/example-file';
import { fieldsOf, initialValue } from '../../src/web/src/form/fields';
import { kindForFile } from '../../src/web/src/form/kind-for-file';
import { when } from '../../src/web/src/format';
import { titleForFile } from '../../src/web/src/job/about';
import type { PageJob } from '../../src/web/src/job/follow-job';
import { jobLabel } from '../../src/web/src/job/labels';
import { createLog, createLogSearch, emptyLog, logText, missingLinesNote } from '../../src/web/src/job/log';
import { applyEvent, emptyState } from '../../src/web/src/job/page-job-state';
import { foldedValue, rowsOf } from '../../src/web/src/job/value-rows';
import { createLongEndDetector } from '../../src/web/src/page/long-end';
import { hashOf, idsIn, MAX_OPEN } from '../../src/web/src/page/open-jobs';
import { mergeJobs, type OwnJob, updatedJob } from '../../src/web/src/page/own-jobs';
import { titleOf } from '../../src/web/src/page/title';
import { fileLink } from '../../src/web/src/service';

const job = (name: string, known: Partial<PageJob> = {}): PageJob => ({
  ...emptyJob(`${name}.1`),
  ...emptyState,
  log: emptyLog,
  name,
  ...known,
});

it('the message of a refusal names the limit, and that of an outage does not blame the visitor', () => {
  const detail = 'You have 100 unfinished jobs, and the limit is 100.';
  expect(problemMessage(new ProblemError({ status: 429, code: 'quota-exceeded', detail }))).toBe(detail);
  expect(problemMessage(new ProblemError({ status: 503, code: 'unavailable' }))).toContain('unreachable');
});

describe('the form', () => {
  const kind = (name: string, description: string, properties: Definition['input']): Definition => ({
    ...{ name, description, input: { type: 'object', ...properties } },
  });
  const file = { properties: { file: { type: 'string', format: 'headway-file' } }, required: ['file'] };

  it('begins with defaults, and with the examples of required fields', () => {
    const properties = {
      count: { type: 'integer', examples: [50, 60] },
      pause: { type: 'integer', default: 1, examples: [2] },
      failAt: { type: 'integer', examples: [7] },
      label: { type: 'string' },
    };
    const fields = fieldsOf(kind('steps', '', { properties, required: ['count', 'label'] }))!;
    expect(fields.map((field) => [field.name, initialValue(field)])).toEqual([
      ['count', 50],
      ['pause', 1],
      ['failAt', ''],
      ['label', ''],
    ]);
  });

  it('has an example file for kinds that say what they take', async () => {
    const made = await exampleFor(kind('people', 'Imports a CSV file.', file))!();
    expect([made.name, (await made.text()).split('\n').length]).toEqual(['people.csv', 20_002]);
    expect(exampleFor(kind('thumbnails', 'Resizes an image.', file))).toBeDefined();
    expect((await exampleFor(kind('checksum', '', file))!()).size).toBe(8 * 1024 * 1024);
    expect(exampleFor(kind('print', 'Prints a document.', file))).toBeUndefined();
    expect(exampleFor(kind('images', 'Needs no file.', { properties: {} }))).toBeUndefined();
  });
});

it('the title of a job for a file is its name in one line, without what the service refuses', () => {
  expect(titleForFile({ name: 'people.csv' })).toBe('people.csv');
  expect(titleForFile({ name: '\n a\tb\ud83d.csv' })).toBe('a b .csv');
  expect(titleForFile({ name: '🧾'.repeat(150) })).toBe('🧾'.repeat(100));
});

describe('a result', () => {
  it('has a row for each value: files, texts, lists of named things', () => {
    const file = { id: 'file_1', name: 'a.csv', size: 3, href: '/v1/a' };
    const result = { rows: 1234, file, ok: true, none: [], columns: [{ name: 'id', type: 'integer' }] };
    expect(rowsOf(result)).toEqual([
      { key: 'rows', text: '1,234' },
      { key: 'file', file },
      { key: 'ok', text: 'true' },
      { key: 'none', text: 'none' },
      { key: 'columns', text: 'id (integer)' },
    ]);
    expect(rowsOf(file)).toEqual([{ key: 'file', file }]);
    expect(rowsOf('done')).toEqual([{ key: 'value', text: 'done' }]);
  });

  it('is folded as a whole if it has many members', () => {
    expect(foldedValue({ a: 1 })).toBeUndefined();
    expect(foldedValue([1, 2, 3])).toBeUndefined();
    const many = Object.fromEntries(Array.from({ length: 13 }, (_, i) => [`key${i}`, i]));
    const folded = foldedValue(many)!;
    expect([folded.summary, JSON.parse(folded.long())]).toEqual(['13 fields', many]);
  });

  it('folds what is long, says what it is, and formats it', () => {
    const many = Array.from({ length: 1000 }, (_, id) => ({ id }));
    const [list, text, failed] = rowsOf({
      list: many,
      text: 'x'.repeat(300_000),
      failed: many.map(({ id }) => ({ name: `${id}.png`, reason: 'broken' })),
    }).map((row) => ('long' in row ? { ...row, long: row.long() } : row)) as Array<Record<string, string>>;
    expect([list!.summary, text!.summary, failed!.summary]).toEqual([
      '1,000 items',
      '300,000 characters',
      '1,000 items',
    ]);
    expect(list!.long).toMatch(/^\[\n {2}\{\n {4}"id": 0\n/);
    expect(text!.long).toMatch(/x\n… 100,000 more characters$/);
    expect(failed!.long).toMatch(/^0\.png: broken\n1\.png: broken\n/);
  });
});

describe('the title of the tab', () => {
  it.each([
    ['no job', [], 'Headway'],
    ['a job without events', [job('')], 'Headway'],
    ['a running job', [job('csv-import', { state: 'active', percent: 43.7 })], '43 % · csv-import'],
    ['a running job with unknown progress', [job('a', { state: 'active' })], 'Running · a'],
    ['a waiting job', [job('a', { state: 'waiting' })], 'Waiting for a free worker · a'],
    ['a finished job', [job('a', { state: 'failed', percent: 30 })], 'Failed · a'],
    [
      'several jobs: the mean progress of the unfinished ones',
      [
        job('a', { state: 'completed', percent: 100 }),
        job('b', { state: 'active', percent: 61 }),
        job('c', { state: 'waiting' }),
        job('d', { state: 'active', percent: 50 }),
      ],
      '37 % · 3 jobs',
    ],
    [
      'a finished job that is newer than a running one',
      [job('a', { state: 'completed', percent: 100 }), job('b', { state: 'active', percent: 5 })],
      '5 % · b',
    ],
  ])('%s', (_what, jobs, title) => expect(titleOf(jobs as PageJob[])).toBe(title));
});

describe('the label of a job', () => {
  it.each([
    [job('a', { state: 'waiting', paused: true }), 'Waiting (paused)'],
    [job('a', { state: 'active', attempt: 2 }), 'Running, attempt 2'],
    [job('a', { state: 'active', cancelling: true }), 'Cancelling'],
    [job('a', { state: 'waiting', noWorker: true }), 'Waiting: no workers running'],
    [job('a', { state: 'waiting' }), 'Waiting for a free worker'],
    [job('a', { state: 'retrying', attempt: 1, attempts: 3 }), 'Attempt 1 of 3 failed. Retrying soon'],
    // After a manual retry or a lost worker, there can be more attempts than the maximum.
    [job('a', { state: 'retrying', attempt: 2, attempts: 1 }), 'Attempt 2 failed. Retrying soon'],
    [job('a', { state: 'retrying', attempt: 1, attempts: 1 }), 'Attempt 1 failed. Retrying soon'],
    [job('a', { state: 'retrying', attempt: 4, attempts: 3 }), 'Attempt 4 failed. Retrying soon'],
    [job('a', { state: 'retrying', attempt: 3, attempts: 3 }), 'Attempt 3 of 3 failed. Retrying soon'],
    [job('a', { state: 'stalled' }), 'Worker lost. Restarting on another'],
  ])('%#', (now, label) => expect(jobLabel(now)).toBe(label));

  const noon = new Date(2026, 10, 27, 12).getTime();
  const DAY = 86_400_000;
  const time = (at: number) => new Date(at).toLocaleTimeString(undefined, { timeStyle: 'short' });
  it.each([
    ['in an hour', noon + 3_600_000, `at ${time(noon + 3_600_000)}`],
    ['tomorrow', noon + DAY, `tomorrow at ${time(noon)}`],
    ['tomorrow, in less than a day', noon + DAY / 2 + 1, /^tomorrow at /],
    ['in three days', noon + 3 * DAY, /^on .*30.* /],
    ['at this time next year', new Date(2027, 10, 27, 12).getTime(), /^on .*2027/],
    ['yesterday', noon - DAY, /^on .*26/],
  ])('includes the day of a start unless it is today: %s', (_what, at, text) =>
    expect(when(at, noon)).toMatch(text),
  );

  it('shows a start in the past as overdue', () => {
    const delayed = job('a', { state: 'delayed', nextAt: noon });
    expect(jobLabel(delayed, noon - 3_600_000)).toMatch(/^Starts at /);
    expect(jobLabel(delayed, noon + 60_000)).toMatch(/^Was due at /);
    const retrying = job('a', { state: 'retrying', nextAt: noon, attempt: 1, attempts: 3 });
    expect(jobLabel(retrying, noon + 60_000)).toMatch(/^Attempt 1 of 3 failed\. Retry was due at /);
  });
});

describe('the end of a long job', () => {
  const ran = { since: 1000, endedAt: 12_000 };
  const ask = (...looks: Array<[at: number, now: PageJob]>): boolean[] => {
    let clock = 0;
    const endedNow = createLongEndDetector(() => clock);
    return looks.map(([at, now]) => {
      clock = at;
      return endedNow(now);
    });
  };
  const active = job('a', { state: 'active' });
  const completed = job('a', { state: 'completed', ...ran });

  it('is detected once, if the job was seen running', () => {
    expect(ask([0, active], [3000, active], [5000, completed], [5001, completed])).toEqual([
      false,
      false,
      true,
      false,
    ]);
  });

  it('is not detected for a short job, or one that ended before it was watched', () => {
    const short = job('a', { state: 'completed', since: 1000, endedAt: 9000 });
    expect(ask([0, active], [5000, short])[1]).toBe(false);
    expect(ask([0, active], [100, completed])[1]).toBe(false);
    expect(ask([0, completed])[0]).toBe(false);
  });
});

describe('the page state of a job', () => {
  const event = <E extends keyof JobEventData>(name: E, data: object): JobEvent =>
    ({ event: name, id: '1-1', data: { jobId: 'x', attempt: 1, at: 10, ...data } }) as unknown as JobEvent;
  const tile = { x: 0, y: 0, width: 8, height: 8, png: 'AAAA', of: { width: 8, height: 8 } };

  it('has the valid tiles of the current attempt', () => {
    const drawn = applyEvent(emptyState, event('partial', { chunks: [tile, { x: 1 }, null] }), 1);
    expect(drawn.tiles).toEqual([tile]);
    expect(applyEvent(drawn, event('partial', { attempt: 1, chunks: [tile] }), 2)).toBe(drawn);
    expect(applyEvent(drawn, event('partial', { attempt: 2, chunks: [tile] }), 1).tiles).toEqual([tile]);
    expect(applyEvent(drawn, event('active', { attempt: 2 }), 1).tiles).toEqual([]);
    expect(applyEvent(drawn, event('reset', {}), 1)).toEqual(emptyState);
  });

  it('counts parts and lists failed ones', () => {
    const counted = applyEvent(emptyState, event('progress', { unit: 'jobs', current: 2, total: 5 }), 1);
    // Progress in other units does not change the parts.
    expect(applyEvent(counted, event('progress', { unit: 'rows', current: 1, total: 9 }), 1).parts).toEqual({
      ended: 2,
      total: 5,
    });
    expect(applyEvent(counted, event('completed', {}), 1).parts).toEqual({ ended: 5, total: 5 });
    expect(applyEvent(counted, event('failed', {}), 1).parts).toEqual({ ended: 2, total: 5 });
    const failed = { childId: 'c', childName: 'one', state: 'failed', error: { message: 'no luck' } };
    expect(applyEvent(counted, event('child', failed), 1).failedParts).toEqual([
      { id: 'c', name: 'one', reason: 'no luck' },
    ]);
  });

  it('starts when the run was requested, and includes all attempts until the end', () => {
    let more = applyEvent(emptyState, event('waiting', { at: 5 }), 0);
    more = applyEvent(more, event('active', { at: 50 }), 0);
    more = applyEvent(more, event('waiting', { at: 70 }), 1);
    expect(more.since).toBe(5);
    more = applyEvent(more, event('failed', { at: 90 }), 2);
    expect(more.endedAt).toBe(90);
    more = applyEvent(more, event('waiting', { at: 100 }), 2);
    expect([more.since, more.endedAt]).toEqual([100, undefined]);
  });
});

describe('the kind of job for a file', () => {
  const kind = (name: string, description: string, file = true): Definition => ({
    name,
    description,
    input: {
      type: 'object',
      properties: file ? { file: { type: 'string', format: 'headway-file' } } : { count: { type: 'number' } },
    },
  });
  const kinds = [
    kind('checksum', 'Computes the digest of a file.'),
    kind('csv-import', 'Loads a CSV file.'),
    kind('image-variants', 'Makes smaller variants of an image, or of each image of a zip.'),
    kind('steps', 'Mentions csv, but takes no file.', false),
  ];
  it.each([
    ['list.CSV', 'text/csv', undefined, 'csv-import'],
    ['list.csv', '', undefined, 'csv-import'],
    ['photo.png', 'image/png', undefined, 'image-variants'],
    ['all.zip', 'application/zip', undefined, 'image-variants'],
    ['notes', '', undefined, 'checksum'],
    ['list.csv', 'text/csv', 'checksum', 'checksum'],
    ['list.csv', 'text/csv', 'steps', 'csv-import'],
  ])('%s (%s), with %s chosen: %s', (name, type, chosen, wanted) => {
    expect(kindForFile(kinds, { name, type }, chosen)?.name).toBe(wanted);
  });
  it('is undefined if no kind takes a file', () => {
    expect(kindForFile(kinds.slice(3), { name: 'list.csv', type: 'text/csv' })).toBeUndefined();
  });
});

describe('the address and the history', () => {
  it('contain the open jobs, each once, up to the maximum', () => {
    expect(idsIn('#job=steps.a,csv-import.b,steps.a')).toEqual(['steps.a', 'csv-import.b']);
    expect(idsIn(hashOf(['steps.a', 'x.b']))).toEqual(['steps.a', 'x.b']);
    for (const hash of ['', '#', '#job=', '#other', '#job=<script>']) expect(idsIn(hash)).toEqual([]);
    expect(idsIn(`#job=${Array.from({ length: 40 }, (_, i) => `a.${i}`)}`)).toHaveLength(MAX_OPEN);
    expect(hashOf([])).toBe('');
  });

  it('list the newest job first, as last fetched', () => {
    const own = (id: string, createdAt: number, state: OwnJob['state']): OwnJob => ({
      id,
      name: 'steps',
      state,
      createdAt,
      percent: null,
      paused: false,
      noWorker: false,
    });
    const known = [own('b', 2, 'active'), own('a', 1, 'completed')];
    expect(mergeJobs(known, [own('c', 3, 'waiting'), own('b', 2, 'failed')])).toEqual([
      own('c', 3, 'waiting'),
      own('b', 2, 'failed'),
      own('a', 1, 'completed'),
    ]);
  });
});

describe('a row of the history', () => {
  const row: OwnJob = {
    id: 'a',
    name: 'steps',
    state: 'failed',
    createdAt: 1,
    percent: 40,
    paused: false,
    noWorker: false,
  };
  it.each<[string, Partial<JobNow>, Partial<OwnJob> | undefined]>([
    ['was retried elsewhere', { state: 'waiting' }, { state: 'waiting', percent: null }],
    [
      'was retried while no worker is running',
      { state: 'prioritized', noWorker: true },
      { state: 'prioritized', percent: null, noWorker: true },
    ],
    [
      'waits in a paused queue',
      { state: 'delayed', paused: true },
      { state: 'delayed', percent: null, paused: true },
    ],
    ['is running', { state: 'active', percent: 3 }, { state: 'active', percent: 3 }],
    ['has failed', { state: 'failed' }, {}],
    ['was cancelled', { state: 'cancelled' }, { state: 'cancelled' }],
    ['has completed', { state: 'completed' }, { state: 'completed', percent: 100 }],
    ['no longer exists', { state: 'gone' }, undefined],
  ])('is updated when its job %s', (_what, update, changed) => {
    expect(updatedJob(row, { jobId: 'a', ...update } as JobNow)).toEqual(changed && { ...row, ...changed });
  });
});

describe('the log of a job', () => {
  const line = (message: string, more: object = {}) =>
    ({
      event: 'log',
      id: undefined,
      data: { jobId: 'a.1', attempt: 1, at: 0, level: 'info', message, ...more },
    }) as JobEvent;
  const filled = (lines: number, bounds?: Parameters<typeof createLog>[0]) => {
    const log = createLog(bounds);
    for (let i = 0; i < lines; i++) log.add(line(`line ${i}`));
    return log;
  };

  it('keeps all lines with their numbers, and exports them completely', () => {
    const log = filled(5000).get();
    expect(log.length).toBe(5000);
    expect(log.lines[4321]).toMatchObject({ number: 4321, line: { message: 'line 4321' } });
    expect(logText(log).trimEnd().split('\n')).toHaveLength(5000);
    expect(missingLinesNote(log)).toBe('');
  });

  it('finds lines by text, level and fields, including later ones', () => {
    const log = filled(100);
    log.add(line('Disk FULL', { level: 'error', fields: { disk: 'sda1' } }));
    const search = createLogSearch();
    const found = (text: string) => search(log.get(), text).map(({ number }) => number);
    expect(found('full')).toEqual([100]);
    log.add(line('no longer full'));
    expect(found('full')).toEqual([100, 101]);
    expect(found('SDA1')).toEqual([100]);
    expect(found('error')).toEqual([100]);
    expect(found(' ')).toHaveLength(102);
    expect(found('nowhere')).toEqual([]);
  });

  it('notes missing lines: those the service trimmed, and those the tab dropped', () => {
    const log = filled(1500, { lines: 1000, text: 1e6 });
    expect(log.get().length + log.get().dropped).toBe(1500);
    expect(log.get().lines[0]?.number).toBe(log.get().dropped);
    expect(missingLinesNote(log.get())).toMatch(
      /^The log is too long for this tab, which dropped the first \d+ lines/,
    );
    expect(logText(log.get())).toMatch(/^# The log is too long/);
    log.add({ event: 'reset', id: undefined, data: { reason: 'trimmed' } } as JobEvent);
    log.add(line('the oldest remaining line'));
    expect(missingLinesNote(log.get())).toBe('The service no longer has the beginning of this log.');
    const wide = createLog({ lines: 1000, text: 100_000 });
    for (let i = 0; i < 50; i++) wide.add(line('x'.repeat(10_000)));
    expect(wide.get().length).toBeLessThanOrEqual(10);
  });
});

describe('a link to a file of a result', () => {
  it.each([
    ['/v1/jobs/a.1/result?file=f', '/headway/v1/jobs/a.1/result?file=f'],
    ['/headway/v1/jobs/a.1/result?file=f', '/headway/v1/jobs/a.1/result?file=f'],
    ['/old/path/v1/jobs/a.1/result?file=f', '/headway/v1/jobs/a.1/result?file=f'],
    ['/v1/other', '/v1/other'],
    ['https://example.org/v1/jobs/a.1/result?file=f', 'https://example.org/v1/jobs/a.1/result?file=f'],
    ['/x?y=/v1/jobs/a.1/result?file=f', '/x?y=/v1/jobs/a.1/result?file=f'],
  ])('%s leads to %s', (href, link) => {
    expect(fileLink(href, '/headway/')).toBe(link);
  });
});
