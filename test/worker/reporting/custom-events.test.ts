import { describe, expect, it } from 'vitest';
import { CustomEvents } from '../../../src/worker/reporting/custom-events.js';

function eventsOf() {
  const published: Array<[string, unknown]> = [];
  const events = new CustomEvents({ jobId: '1', attempt: 2 }, (type, json) => {
    published.push([type, JSON.parse(json)]);
  });
  return { events, published };
}

describe('a custom event', () => {
  it('is published at once with the data of the job', () => {
    const { events, published } = eventsOf();
    events.emit('row.rejected', { row: 3 });
    events.emit('Stage-2:done', null);
    expect(published).toEqual([
      ['row.rejected', { jobId: '1', attempt: 2, data: { row: 3 }, at: expect.any(Number) }],
      ['Stage-2:done', { jobId: '1', attempt: 2, data: null, at: expect.any(Number) }],
    ]);
  });

  it.each([
    ['', /a type must have 1 to 100 characters/],
    ['x'.repeat(101), /a type must have 1 to 100 characters/],
    ['two words', /a type must have 1 to 100 characters/],
    ['line\nbreak', /a type must have 1 to 100 characters/],
    [7, /a type must have 1 to 100 characters/],
    ['completed', /"completed" is reserved/],
    ['progress', /"progress" is reserved/],
    ['partial', /"partial" is reserved/],
    ['queue', /"queue" is reserved/],
    ['child', /"child" is reserved/],
    ['reset', /"reset" is reserved/],
    ['error', /"error" is reserved/],
    ['open', /"open" is reserved/],
    ['message', /"message" is reserved/],
  ])('cannot be named %j', (type, message) => {
    const { events, published } = eventsOf();
    expect(() => events.emit(type as string, 1)).toThrow(TypeError);
    expect(() => events.emit(type as string, 1)).toThrow(message);
    expect(published).toEqual([]);
  });

  it.each([
    ['no JSON form', undefined, /the data of "tick" cannot be converted to JSON/],
    ['more than 64 KiB', 'x'.repeat(64 * 1024 - 1), /is 65537 bytes as JSON; the limit is 65536/],
  ])('rejects data with %s', (_what, data, message) => {
    expect(() => eventsOf().events.emit('tick', data)).toThrow(message);
  });
});
