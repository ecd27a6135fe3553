import { describe, expect, it } from 'vitest';
import { CustomEvents } from '../../../src/worker/reporting/custom-events.js';

function eventsOf() {
  const published: Array<[string, unknown]> = [];
  const events = new CustomEvents({ jobId: '1', attempt: 2 }, (type, json) => {
    published.push([type, JSON.parse(json)]);
  });
  return { events, published };
}

describe('an event of the job’s own kind', () => {
  it('goes out at once with what the job gave', () => {
    const { events, published } = eventsOf();
    events.emit('row.rejected', { row: 3 });
    events.emit('Stage-2:done', null);
    expect(published).toEqual([
      ['row.rejected', { jobId: '1', attempt: 2, data: { row: 3 }, at: expect.any(Number) }],
      ['Stage-2:done', { jobId: '1', attempt: 2, data: null, at: expect.any(Number) }],
    ]);
  });

  it.each([
    ['', /a type has 1 to 100 of/],
    ['x'.repeat(101), /a type has 1 to 100 of/],
    ['two words', /a type has 1 to 100 of/],
    ['line\nbreak', /a type has 1 to 100 of/],
    [7, /a type has 1 to 100 of/],
    ['completed', /"completed" is a name that Headway/],
    ['progress', /"progress" is a name that Headway/],
    ['partial', /"partial" is a name/],
    ['queue', /"queue" is a name/],
    ['child', /"child" is a name/],
    ['reset', /"reset" is a name/],
    ['error', /"error" is a name/],
    ['open', /"open" is a name/],
    ['message', /"message" is a name/],
  ])('cannot be named %j', (type, message) => {
    const { events, published } = eventsOf();
    expect(() => events.emit(type as string, 1)).toThrow(TypeError);
    expect(() => events.emit(type as string, 1)).toThrow(message);
    expect(published).toEqual([]);
  });

  it.each([
    ['no JSON form', undefined, /the data of "tick" has no JSON form/],
    ['more than 64 KiB', 'x'.repeat(64 * 1024 - 1), /is 65537 bytes as JSON; at most 65536/],
  ])('cannot carry data with %s', (_what, data, message) => {
    expect(() => eventsOf().events.emit('tick', data)).toThrow(message);
  });
});
