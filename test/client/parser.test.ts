import { createParser as createReference } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createParser, type StreamEvent } from '../../src/client/parser.js';
import { anyText } from '../support/any-text.js';

/** Parses bytes in pieces with the client's parser. */
function parse(pieces: Uint8Array[]): { events: StreamEvent[]; retries: number[] } {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  const feed = createParser(
    (event) => void events.push(event),
    (ms) => void retries.push(ms),
  );
  const decoder = new TextDecoder();
  for (const piece of pieces) feed(decoder.decode(piece, { stream: true }));
  return { events, retries };
}

/** Parses the whole text with the reference parser. */
function reference(bytes: Uint8Array): ReturnType<typeof parse> {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  const parser = createReference({
    onEvent: ({ id, event, data }) => void events.push({ id, event: event || 'message', data }),
    onRetry: (ms) => void retries.push(ms),
  });
  parser.feed(new TextDecoder().decode(bytes));
  return { events, retries };
}

/** Cuts bytes at the given places. */
function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

const line = fc.oneof(
  fc.constantFrom(
    '',
    '',
    '',
    ':',
    ': beat',
    'data',
    'data:',
    'data: ',
    'data:  two',
    'id',
    'id: ',
    'id: a\0b',
  ),
  fc.constantFrom(
    'event',
    'event: ',
    'event: log',
    'retry: 12',
    'retry: 1x',
    'retry',
    'retry: -1',
    'unknown: x',
  ),
  fc.constantFrom('data: é ☃ 🏏', 'data:x:y', ' data: no', 'Data: no', '\uFEFFdata: no', 'id: 0a-12'),
  anyText({ maxLength: 20 }).map((text) => text.replace(/[\r\n]/g, '')),
);
const stream = fc
  .array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 40 })
  .map((lines) => lines.flat().join(''));

describe('the parser of streams', () => {
  it('agrees with eventsource-parser for any bytes in any pieces', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          stream.map((text) => new TextEncoder().encode(text)),
          fc.uint8Array({ maxLength: 200 }),
        ),
        fc.array(fc.nat(), { maxLength: 12 }),
        (bytes, places) => {
          // The reference holds back a CR at the end until the next piece.
          const whole = new Uint8Array([...bytes, 0x0a, 0x3a, 0x0a]);
          expect(parse(cut(whole, places))).toEqual(reference(whole));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('emits an event as soon as it is complete, with any line endings', () => {
    for (const eol of ['\n', '\r', '\r\n']) {
      const { events } = parse([new TextEncoder().encode(`id: 7${eol}data: a${eol}data: b${eol}${eol}`)]);
      expect(events).toEqual([{ id: '7', event: 'message', data: 'a\nb' }]);
    }
  });

  it('drops an event cut off by the end of the stream', () => {
    expect(parse([new TextEncoder().encode('data: whole\n\ndata: half\n')]).events).toHaveLength(1);
  });
});
