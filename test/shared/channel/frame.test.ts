import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endsChannel, frameBody, frameId, parseEventId } from '../../../src/shared/channel/frame.js';
import { anyText } from '../../support/any-text.js';

/** Parses a frame with a conforming parser of another project. */
function parse(frame: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => events.push(event) }).feed(frame);
  return events;
}

describe('a frame', () => {
  it('is parsed by a conforming parser as it was published, whatever the data', () => {
    fc.assert(
      fc.property(anyText(), fc.boolean(), (data, end) => {
        const frame = `id: e-1\n${frameBody({ event: 'x', data, end })}`;
        expect(parse(frame)).toEqual([{ id: 'e-1', event: 'x', data: data.replace(/\r\n?/g, '\n') }]);
      }),
    );
  });

  it('marks text that could be parsed as JSON, and no other data', () => {
    const marked = [
      '12345678901234567890',
      '1.10',
      'null',
      'true',
      '-0',
      ' 7\r\n',
      '"x"',
      '{"a":1}',
      '[1,\n2]',
    ];
    for (const data of marked) expect(frameBody({ data })).toMatch(/^:text\ndata: /);
    const plain = [
      '',
      'text',
      '007',
      '+1',
      '1.',
      '.5',
      'NaN',
      'nil',
      '{a}',
      '"x',
      '1 2',
      'Infinity',
      '\ufeff1',
    ];
    for (const data of plain) expect(frameBody({ data })).not.toContain(':text');
    for (const data of [1, null, true, {}, []])
      expect(frameBody({ data })).toBe(`data: ${JSON.stringify(data)}\n\n`);
    expect(frameBody({ data: '{"a":1}', isJson: true })).toBe('data: {"a":1}\n\n');
    expect(frameBody({ id: 'a', event: 'x', data: '1', end: true })).toBe(
      'id: a\nevent: x\n:text\ndata: 1\n:end\n\n',
    );
  });

  it('carries JSON values unchanged', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        fc.pre(typeof data !== 'string');
        const [event] = parse(`id: e-1\n${frameBody({ data })}`);
        expect(JSON.parse(event!.data)).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it('rejects names that would forge another field, and reserved names', () => {
    for (const event of ['a\nid: 7', 'a\rb', 'a\0', '', 'error', 'x'.repeat(101)]) {
      expect(() => frameBody({ event, data: 1 }), JSON.stringify(event)).toThrow(TypeError);
    }
    expect(() => frameBody({ data: undefined })).toThrow(TypeError);
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => frameBody({ data: deep })).toThrow(TypeError);
    for (const retry of [-1, 0, 99, 300_001, 86_400_000, 1.5]) {
      expect(() => frameBody({ data: 1, retry })).toThrow(TypeError);
    }
    expect(frameBody({ data: 1, retry: 100 })).toBe('retry: 100\ndata: 1\n\n');
    for (const event of ['reset', 'unauthorized']) {
      expect(() => frameBody({ data: 1, event })).toThrow(TypeError);
    }
    // Browsers treat these as different names.
    for (const event of ['Reset', ' reset', 'constructor']) {
      expect(frameBody({ data: 1, event })).toBe(`event: ${event}\ndata: 1\n\n`);
    }
  });

  it('contains its id and whether it ends the channel', () => {
    const body = frameBody({ event: 'completed', data: { a: 1 }, end: true });
    const frame = Buffer.from(`id: 0a1b2c3d4e5f-4711\n${body}`);
    expect(frameId(frame)).toEqual({ epoch: '0a1b2c3d4e5f', offset: 4711 });
    expect(endsChannel(frame)).toBe(true);
    expect(endsChannel(Buffer.from(`id: a-1\n${frameBody({ event: 'log', data: 'a\n:end\n\n' })}`))).toBe(
      false,
    );
    expect(endsChannel(Buffer.from('id: a-1\ndata: 1\n\n'))).toBe(false);
  });

  it.each([
    ['abc-12', { epoch: 'abc', offset: 12 }],
    ['abc', undefined],
    ['abc-', undefined],
    ['abc-1.5', undefined],
    ['abc--1', undefined],
    ['a\nb-1', undefined],
    ['abc-99999999999999999999', undefined],
    ['', undefined],
  ])('parses the last event id %j', (id, expected) => {
    expect(parseEventId(id)).toEqual(expected);
  });
});
