import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { EventSchemas } from '../../../src/shared/jobs/types.js';
import { CustomEvents } from '../../../src/worker/reporting/custom-events.js';

function eventsOf(schemas?: EventSchemas) {
  const published: Array<[string, unknown]> = [];
  const publish = (type: string, json: string): void => void published.push([type, JSON.parse(json)]);
  const events = new CustomEvents({ jobId: '1', attempt: 2 }, publish, schemas);
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

  it('is what its schema makes of the data, if the definition declares events', () => {
    const { events, published } = eventsOf({ sold: z.object({ price: z.coerce.number(), at: z.date() }) });
    events.emit('sold', { price: '7', at: new Date(0), secret: true });
    expect(published).toMatchObject([['sold', { data: { price: 7, at: '1970-01-01T00:00:00.000Z' } }]]);
    expect(published).not.toHaveProperty('0.1.data.secret');
  });

  it.each([
    ['no such event', 'bought', 1, /"bought" is not in the `events` of the definition/],
    ['an event that objects inherit', 'constructor', 1, /"constructor" is not in the `events`/],
    ['other data', 'sold', { price: [-1] }, /data of "sold" is invalid: \/price\/0: Too small/],
    ['an asynchronous schema', 'late', 1, /the schema of "late" is asynchronous/],
  ])('is refused if the definition declares %s', (_what, type, data, message) => {
    const { events, published } = eventsOf({
      sold: z.object({ price: z.array(z.number().min(0)) }),
      late: z.number().refine(async () => true),
    });
    expect(() => events.emit(type, data)).toThrow(TypeError);
    expect(() => events.emit(type, data)).toThrow(message);
    expect(published).toEqual([]);
  });
});
