import { streamEvents } from '../jobs/events/stream-events.js';
import { serverNow } from '../redis/server-clock.js';

/** An event to publish, as it appears on the stream (WHATWG HTML §9.2). */
export interface FrameInput {
  /** The event's name; without one the browser fires `message`. No line breaks, no NUL, not `error`, `open`, `reset` or `unauthorized`. */
  event?: string;
  /** A string goes out as it is, line by line; anything else as JSON. A string that reads as JSON is marked as text. */
  data: unknown;
  /** The data is a string with JSON in one line: it is not marked as text. */
  isJson?: boolean;
  /** The publisher's own id of the event. On the stream it stands behind ours: `<epoch>-<offset>:<id>`. */
  id?: string;
  /** Tells the client how long to wait before it reconnects, in ms: {@link MIN_RETRY_MS} to {@link MAX_RETRY_MS}. */
  retry?: number;
  /** Marks the frame as the last one of its channel. */
  end?: boolean;
}

/** Browsers do as they are told: with less, all viewers of a channel would come back in a loop. */
export const MIN_RETRY_MS = 100;
/** With more, they would be away for longer than anybody waits. */
export const MAX_RETRY_MS = 300_000;

/**
 * The comment that marks data as text where it could be taken for JSON: `1.10`, `null`. Clients that do not know it ignore
 * comments (§9.2.6).
 */
const TEXT_MARK = ':text\n';

/** The comment that ends the last frame of a channel. */
const END_MARK = Buffer.from('\n:end\n\n');

/**
 * Builds a frame without its place in the channel, which the publish script puts into its id line.
 * @throws TypeError for a name, id, retry time or data that no frame can carry
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
  if (text === undefined) throw new TypeError('data has no JSON form');
  if (typeof data === 'string' && !isJson && readsAsJson(text)) head += TEXT_MARK;
  const lines = typeof data === 'string' ? text.replace(/\r\n?|\n/g, '\ndata: ') : text;
  return `${head}data: ${lines}\n${end ? ':end\n' : ''}\n`;
}

/** Whether a client that parses data as JSON where it can would make something else of this text. */
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
    // It holds itself, has a BigInt, or is nested too deeply.
    throw new TypeError(`data has no JSON form: ${(error as Error).message}`);
  }
}

function checkEventName(event: string): void {
  if (event === '' || event.length > 100 || /[\r\n\0]/.test(event)) {
    throw new TypeError('an event name has 1 to 100 characters and no line break or NUL');
  }
  if (event === 'error' || event === 'open') {
    throw new TypeError(`no event can be named "${event}": browsers use that name for the connection`);
  }
  // Names are compared as they are, by browsers and by our client: "Reset" is another event.
  if (Object.hasOwn(streamEvents, event)) {
    throw new TypeError(`no event can be named "${event}": the service says that of the stream itself`);
  }
}

/** A client keeps it as part of a header value (§9.2.6: an id with NUL is ignored). */
function checkOwnId(id: string): void {
  if (!/^[\x21-\x7e]{1,200}$/.test(id)) {
    throw new TypeError('an id has 1 to 200 visible ASCII characters');
  }
}

/** What an id `epoch-offset` says. */
export interface EventId {
  epoch: string;
  offset: number;
}

/** Reads a `Last-Event-ID`; `undefined` when it is none of ours. */
export function parseEventId(id: string): EventId | undefined {
  const match = /^([A-Za-z0-9]{1,32})-(\d{1,15})(?::[\x21-\x7e]{0,200})?$/.exec(id);
  return match ? { epoch: match[1]!, offset: Number(match[2]) } : undefined;
}

/** The ids of so many events that were published in a row. */
export function idsInRow(firstId: string, count: number): string[] {
  const { epoch, offset } = parseEventId(firstId)!;
  return Array.from({ length: count }, (_, i) => `${epoch}-${offset + i}`);
}

/** Whether who has seen what an id says has seen the end of a channel; `end` is the offset of that. */
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
const NINE = 0x39;
const ID_START = 'id: '.length;

/** Reads the id at the start of a frame: the only bytes of a frame that are ever looked at on its way. */
export function frameId(frame: Buffer): EventId {
  const dash = frame.indexOf(DASH, ID_START);
  let offset = 0;
  for (let i = dash + 1; frame[i]! >= ZERO && frame[i]! <= NINE; i++) offset = offset * 10 + frame[i]! - ZERO;
  return { epoch: frame.toString('latin1', ID_START, dash), offset };
}

/** Whether a frame is marked as the last one of its channel. */
export function endsChannel(frame: Buffer): boolean {
  const at = frame.length - END_MARK.length;
  return at > 0 && frame[at + 1] === 0x3a && frame.subarray(at).equals(END_MARK);
}

/** The `reset` event: what the reader knew no longer holds, the present state follows. It has no id of its own. */
export function resetFrame(reason: string): Buffer {
  return Buffer.from(`event: reset\ndata: ${JSON.stringify({ reason, at: serverNow() })}\n\n`);
}
