import { expect, it } from 'vitest';
import { type BullEntry, readBullEvents } from '../../../src/shared/bullmq/bull-events.js';

let time = 1000;
const entry = (event: string, jobId?: string, more: Record<string, string> = {}): BullEntry => [
  `${++time}-0`,
  Object.entries({ event, ...(jobId ? { jobId } : {}), ...more }).flat(),
];
const progress = (jobId: string, value: unknown): BullEntry =>
  entry('progress', jobId, { data: JSON.stringify(value) });
const read = (...entries: BullEntry[]) => Object.fromEntries(readBullEvents('steps', entries));

it('keeps for each job what still matters at the end of a batch', () => {
  time = 1000;
  expect(
    read(
      progress('7', 10),
      progress('8', 90),
      progress('7', 20),
      entry('active', '8'),
      entry('drained'),
      entry('completed', '7', { returnvalue: '{"a":1}' }),
    ),
  ).toEqual({
    'steps..7': {
      id: '7',
      changed: true,
      ended: true,
      progress: { value: 20, at: 1003 },
      hint: { event: 'completed', result: { a: 1 } },
    },
    // The report belongs to the previous attempt.
    'steps..8': { id: '8', changed: true, ended: false },
  });
});

it('distinguishes the progress of our workers from that of others', () => {
  const id = 'steps.one';
  expect(
    read(
      progress(id, { jobId: id, attempt: 1, percent: 3 }),
      progress(id, { percent: 4, attempt: 1, jobId: id }),
      entry('progress', id, { data: 'no JSON' }),
      entry('progress', id),
    ),
  ).toEqual({});
  expect(read(progress(id, { jobId: 'steps.two', attempt: 1, percent: 3 }))).toMatchObject({
    [id]: { changed: false, ended: false },
  });
});

it('accepts any id of other tools, and skips ids that are too long for a request', () => {
  const news = read(entry('waiting', 'a b'), progress('ü', 3), entry('waiting', 'x'.repeat(2001)));
  expect(news).toMatchObject({
    'steps..a~20b': { id: 'a b' },
    'steps..~C3~BC': { id: 'ü', progress: { value: 3 } },
  });
  expect(Object.keys(news)).toHaveLength(2);
});

it('notices new log lines, which change no state', () => {
  expect(read(progress('7', 10), entry('log', '7'))).toMatchObject({
    'steps..7': { changed: false, lines: true, ended: false, progress: { value: 10 } },
  });
});
