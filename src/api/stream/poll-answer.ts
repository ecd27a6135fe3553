import type { ServerResponse } from 'node:http';
import { readFrames } from './frame-fields.js';

/** The answer to a poll. */
export interface PollAnswer {
  isJson: boolean;
  /** The frames of the events, as a stream has them. */
  frames: Buffer;
  /** Where the next poll continues; empty if the viewer has not got anything. */
  after: string;
}

/** Answers a poll: with an event stream that ends, or with the same events as JSON. */
export function sendPollAnswer(res: ServerResponse, { isJson, frames, after }: PollAnswer): void {
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader(
    'Content-Type',
    isJson ? 'application/json; charset=utf-8' : 'text/event-stream; charset=utf-8',
  );
  // An id without data moves the position of a viewer, and is no event (WHATWG HTML, section 9.2.6).
  res.end(
    isJson ? jsonOf(frames.toString(), after) : Buffer.concat([frames, Buffer.from(`id: ${after}\n\n`)]),
  );
}

/** Converts frames to JSON. The data of an event is copied, so that numbers stay as they were published. */
function jsonOf(frames: string, after: string): string {
  const events: string[] = [];
  let retry = '';
  for (const { id, event, data, isText, retry: given } of readFrames(frames)) {
    if (data === undefined) retry = given ?? retry;
    else {
      const ownId = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
      const value = !isText && isJsonText(data) ? data : JSON.stringify(data);
      events.push(`{${ownId}"event":${JSON.stringify(event)},"data":${value}}`);
    }
  }
  return `{"events":[${events.join()}],"after":${JSON.stringify(after)}${retry && `,"retry":${retry}`}}\n`;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
