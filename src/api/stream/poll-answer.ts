import type { ServerResponse } from 'node:http';

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
  for (const frame of frames.split('\n\n')) {
    const fields = new Map<string, string>();
    for (const line of frame.split('\n')) {
      const [, name = '', value = ''] = /^(\w*): ?(.*)$/s.exec(line) ?? [];
      const key = name || `:${value}`;
      const earlier = fields.get(key);
      fields.set(key, earlier === undefined ? value : `${earlier}\n${value}`);
    }
    const data = fields.get('data');
    if (data === undefined) retry = fields.get('retry') ?? retry;
    else {
      const id = fields.get('id');
      events.push(
        `{${id === undefined ? '' : `"id":${JSON.stringify(id)},`}"event":${JSON.stringify(fields.get('event') ?? 'message')},"data":${
          !fields.has(':text') && isJsonText(data) ? data : JSON.stringify(data)
        }}`,
      );
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
