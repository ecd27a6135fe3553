import { streamEvents } from '../jobs/events/stream-events.js';
import { serverNow } from '../redis/server-clock.js';

/** An event to publish, with the fields of a server-sent event (WHATWG HTML §9.2). */
export interface FrameInput {
  /** The event's name; without one, browsers fire `message`. No line breaks, no NUL, not `error`, `open`, `reset` or `unauthorized`. */
  event?: string;
  /** A string is sent as it is, line by line; any other value as JSON. A string that could be parsed as JSON is marked as text. */
  data: unknown;
  /** Whether `data` is a string with JSON in one line, which must not be marked as text. Defaults to false. */
  isJson?: boolean;
  /** The publisher's id of the event. On the stream it is appended to Headway's id: `<epoch>-<offset>:<id>`. */
  id?: string;
  /** How long clients wait before they reconnect, in ms: {@link MIN_RETRY_MS} to {@link MAX_RETRY_MS}. */
  retry?: number;
  /** Whether this is the last event of its channel. Defaults to false. */
  end?: boolean;
}

/** Browsers obey `retry`: with a shorter time, all viewers of a channel would reconnect in a tight loop. */
export const MIN_RETRY_MS = 100;
/** With a longer time, viewers would stay disconnected for too long. */
export const MAX_RETRY_MS = 300_000;

/**
 * The comment that marks data as text if it could be parsed as JSON, such as `1.10` or `null`. Other clients ignore comments
 * (§9.2.6).
 */
const TEXT_MARK = ':text\n';

/** The comment that ends the last frame of a channel. */
const END_MARK = Buffer.from('\n:end\n\n');

/**
 * Builds a frame without its position in the channel; the publish script adds that to the id line.
 * @throws TypeError for an invalid name, id or retry time, or data that cannot be converted to JSON
 */
export function frameBody({ event, data, isJson = false, id, retry, end }: FrameInput): string {
  let head = '';
  if (id !== undefined) {
    checkOwnId(id);
    head = `id: ${id}\n`;
  }
  if (event !== undefined) {
    checkEventName(event);
    head += `event: ${event}\n`;
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || retry < MIN_RETRY_MS || retry > MAX_RETRY_MS) {
      throw new TypeError(
        `retry must be a whole number of milliseconds from ${MIN_RETRY_MS} to ${MAX_RETRY_MS}, not ${retry}`,
      );
    }
    head += `retry: ${retry}\n`;
  }
  const text = typeof data === 'string' ? data : jsonOf(data);
  if (text === undefined) throw new TypeError('data cannot be converted to JSON');
  if (typeof data === 'string' && !isJson && readsAsJson(text)) head += TEXT_MARK;
  const lines = typeof data === 'string' ? text.replace(/\r\n?|\n/g, '\ndata: ') : text;
  return `${head}data: ${lines}\n${end ? ':end\n' : ''}\n`;
}

/** Returns whether a client that parses data as JSON if possible would change this text. */
function readsAsJson(text: string): boolean {
  if (!/^[\t\n\r ]*["[{\dtfn-]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function jsonOf(data: unknown): string | undefined {
  try {
    return JSON.stringify(data);
  } catch (error) {
    // It is circular, contains a BigInt, or is nested too deeply.
    throw new TypeError(`data cannot be converted to JSON: ${(error as Error).message}`);
  }
}

function checkEventName(event: string): void {
  if (event === '' || event.length > 100 || /[\r\n\0]/.test(event)) {
    throw new TypeError('an event name must have 1 to 100 characters without line breaks or NUL');
  }
  if (event === 'error' || event === 'open') {
    throw new TypeError(`the event name "${event}" is reserved: browsers use it for the connection`);
  }
  // Browsers and the client compare names case-sensitively: "Reset" is a different event.
  if (Object.hasOwn(streamEvents, event)) {
    throw new TypeError(`the event name "${event}" is reserved: the service uses it for the stream itself`);
  }
}

/** Clients send the id in a header, so it must be visible ASCII (§9.2.6: an id with NUL is ignored). */
function checkOwnId(id: string): void {
  if (!/^[\x21-\x7e]{1,200}$/.test(id)) {
    throw new TypeError('an id must have 1 to 200 visible ASCII characters');
  }
}

/** The parts of an id `<epoch>-<offset>`. */
export interface EventId {
  epoch: string;
  offset: number;
}

/** Parses a `Last-Event-ID`; `undefined` if it is not an id of Headway. */
export function parseEventId(id: string): EventId | undefined {
  const [, epoch, offset] = /^([A-Za-z0-9]{1,32})-(\d{1,15})(?::[\x21-\x7e]{0,200})?$/.exec(id) ?? [];
  return epoch === undefined ? undefined : { epoch, offset: Number(offset) };
}

/** Returns the ids of `count` consecutive events. */
export function idsInRow(firstId: string, count: number): string[] {
  const first = parseEventId(firstId);
  if (!first) throw new TypeError(`not an event id: ${firstId}`);
  const { epoch, offset } = first;
  return Array.from({ length: count }, (_, i) => `${epoch}-${offset + i}`);
}

/** Returns whether a viewer at this event id has seen the channel's end. `end` is the offset of the end. */
export function sawEnd(id: string, channel: { epoch: string | undefined; end: number | undefined }): boolean {
  const seen = parseEventId(id);
  return (
    seen !== undefined &&
    channel.end !== undefined &&
    seen.epoch === channel.epoch &&
    seen.offset >= channel.end
  );
}

const DASH = 0x2d;
const ZERO = 0x30;
const ID_START = 'id: '.length;

/** Parses the id at the start of a frame. No other bytes of a live frame are parsed. */
export function frameId(frame: Buffer): EventId {
  const dash = frame.indexOf(DASH, ID_START);
  let offset = 0;
  for (let i = dash + 1; i < frame.length; i++) {
    const digit = (frame[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) break;
    offset = offset * 10 + digit;
  }
  return { epoch: frame.toString('latin1', ID_START, dash), offset };
}

/** Returns whether a frame is marked as the last one of its channel. */
export function endsChannel(frame: Buffer): boolean {
  const at = frame.length - END_MARK.length;
  return at > 0 && frame[at + 1] === 0x3a && frame.subarray(at).equals(END_MARK);
}

const QUOTE = 0x22;
const BRACE = 0x7d;
/** The end of the data of a job's event: `"at":1790000000000}`. A time has 13 digits until the year 2286. */
const AT = Buffer.from('"at":');
const AT_DIGITS = 13;

/**
 * Returns when an event of a job happened, ms since 1970 by Redis' clock: the last member of its data. `undefined` for data
 * without it. Only the last bytes of the frame are read.
 */
export function happenedAt(frame: Buffer): number | undefined {
  const end = frame.length - (endsChannel(frame) ? END_MARK.length : 2) - 1;
  const digits = end - AT_DIGITS;
  const from = digits - AT.length;
  if (frame[end] !== BRACE || frame[from] !== QUOTE || AT.compare(frame, from, digits) !== 0)
    return undefined;
  let at = 0;
  for (let i = digits; i < end; i++) {
    const digit = (frame[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    at = at * 10 + digit;
  }
  return at;
}

/** Returns the frame of a `reset` event: the viewer has to discard its state, and the current state follows. It has no id. */
export function resetFrame(reason: string): Buffer {
  return Buffer.from(`event: reset\ndata: ${JSON.stringify({ reason, at: serverNow() })}\n\n`);
}
