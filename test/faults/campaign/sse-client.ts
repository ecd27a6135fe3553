import { type IncomingMessage, request } from 'node:http';
import { StringDecoder } from 'node:string_decoder';

/** An event as it was received. */
export interface WireEvent {
  id: string;
  event: string;
  data: string;
}

export interface SseOptions {
  url: string;
  token?: string | undefined;
  lastEventId: string;
  onEvent(event: WireEvent): void;
  onRetry(ms: number): void;
  /** Called for each chunk, so that a slow reader can pause. */
  onBytes?(response: IncomingMessage, length: number): void;
}

/** How a connection ended: with a response that is not a stream, or `undefined` if either side closed it. */
export interface Closed {
  status: number | undefined;
}

/** Reads one connection of an event stream (WHATWG HTML, section 9.2.6). */
export function openSse(options: SseOptions): { closed: Promise<Closed>; close(): void } {
  let close = (): void => {};
  const closed = new Promise<Closed>((resolve) => {
    connect(options.url, 0);

    function connect(url: string, redirects: number): void {
      let refused: number | undefined;
      let moved = false;
      const req = request(url, {
        agent: false,
        headers: {
          Accept: 'text/event-stream',
          'Cache-Control': 'no-store',
          ...(options.token ? { Authorization: `Bearer ${options.token}` } : {}),
          ...(options.lastEventId ? { 'Last-Event-ID': options.lastEventId } : {}),
        },
      });
      close = () => req.destroy();
      req.on('error', () => {});
      req.on('close', () => {
        if (!moved) resolve({ status: refused });
      });
      req.on('response', (res) => {
        const { statusCode = 0, headers } = res;
        res.on('error', () => {});
        if ([301, 302, 303, 307, 308].includes(statusCode) && headers.location && redirects < 5) {
          moved = true;
          req.destroy();
          return connect(new URL(headers.location, url).href, redirects + 1);
        }
        if (statusCode === 200 && headers['content-type']?.startsWith('text/event-stream')) {
          return read(res, options);
        }
        refused = statusCode;
        res.resume();
      });
      req.end();
    }
  });
  return { closed, close: () => close() };
}

function read(res: IncomingMessage, { onEvent, onRetry, onBytes }: SseOptions): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let event = '';
  let id = '';
  let data: string[] = [];
  res.on('data', (chunk: Buffer) => {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop()!;
    for (const line of lines) take(line.endsWith('\r') ? line.slice(0, -1) : line);
    onBytes?.(res, chunk.length);
  });

  function take(line: string): void {
    if (line === '') {
      if (data.length > 0) onEvent({ id, event: event || 'message', data: data.join('\n') });
      event = '';
      id = '';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id') id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) onRetry(Number(value));
  }
}
