import { EventEmitter, once } from 'node:events';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { createParser } from 'eventsource-parser';
import { until } from './until.js';

export interface ReceivedEvent {
  id: string | undefined;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the data that it expects
  data: any;
}

/** An open event stream, read with the parser `eventsource-parser`. */
export interface TestStream {
  status: number;
  headers: IncomingHttpHeaders;
  events: ReceivedEvent[];
  comments: string[];
  retry: number | undefined;
  /** Returns everything received so far. */
  raw(): string;
  /** Waits for an event, among the received and the coming ones. */
  waitFor(what: string | ((event: ReceivedEvent) => boolean), timeoutMs?: number): Promise<ReceivedEvent>;
  /** Returns the names of the events, without `queue` events about workers: those depend on when workers start. */
  names(): string[];
  lastEventId(): string | undefined;
  /** Resolves when either side has ended the response. */
  ended: Promise<void>;
  /** Stops reading from the socket. */
  pause(): void;
  resume(): void;
  close(): void;
}

export async function openStream(
  url: string,
  {
    token,
    lastEventId,
    headers = {},
  }: { token?: string; lastEventId?: string | undefined; headers?: Record<string, string> } = {},
): Promise<TestStream> {
  const emitter = new EventEmitter();
  emitter.setMaxListeners(0);
  const req: ClientRequest = request(url, {
    agent: false,
    headers: {
      Accept: 'text/event-stream',
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...(lastEventId ? { 'Last-Event-ID': lastEventId } : {}),
      ...headers,
    },
  });
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const events: ReceivedEvent[] = [];
  const comments: string[] = [];
  let raw = '';
  const stream: TestStream = {
    status: res.statusCode!,
    headers: res.headers,
    events,
    comments,
    retry: undefined,
    raw: () => raw,
    names: () => events.filter(isIndependentOfWorkers).map(({ event }) => event),
    lastEventId: () => events.findLast(({ id }) => id)?.id,
    async waitFor(what, timeoutMs = 20_000) {
      const matches = typeof what === 'string' ? (event: ReceivedEvent) => event.event === what : what;
      const deadline = AbortSignal.timeout(timeoutMs);
      let from = 0;
      for (;;) {
        for (; from < events.length; from++) if (matches(events[from]!)) return events[from]!;
        await once(emitter, 'event', { signal: deadline }).catch(() => {
          throw new Error(`not in ${timeoutMs} ms: ${what}; came: ${events.map((e) => e.event).slice(-20)}`);
        });
      }
    },
    ended: new Promise((resolve) => res.once('close', () => resolve())),
    pause: () => void res.socket.pause(),
    resume: () => void res.socket.resume(),
    close: () => void req.destroy(),
  };
  const parser = createParser({
    onEvent: ({ id, event = 'message', data }) => {
      events.push({ id, event, data: parseData(data) });
      emitter.emit('event');
    },
    onComment: (comment) => void comments.push(comment),
    onRetry: (retry) => {
      stream.retry = retry;
    },
  });
  res.setEncoding('utf8');
  res.on('data', (chunk: string) => {
    raw += chunk;
    parser.feed(chunk);
  });
  res.on('error', () => {});
  req.on('error', () => {});
  return stream;
}

/** Whether an event is independent of workers: any except a `queue` event without a pause or resume. */
const isIndependentOfWorkers = (event: ReceivedEvent, index: number, all: ReceivedEvent[]): boolean => {
  if (event.event !== 'queue') return true;
  const before = all.slice(0, index).findLast((other) => other.event === 'queue');
  return event.data.paused !== (before?.data.paused ?? false);
};

/** Parses data as JSON if possible; returns other text unchanged. */
export function parseData(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}

/** Watches a job to its end, as soon as the API answers. */
export const watchToEnd = (url: string, token: string): Promise<TestStream> =>
  until('the stream has ended with the job', async () => {
    const stream = await openStream(url, { token });
    await stream.ended;
    return ['completed', 'failed', 'cancelled'].includes(stream.names().at(-1)!) ? stream : undefined;
  });
