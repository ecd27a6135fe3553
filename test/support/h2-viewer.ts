import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { createParser } from 'eventsource-parser';
import { until } from './until.js';

/** Opens an HTTP/2 connection to a server whose certificate nobody has signed. Resolves when both sides have agreed on HTTP/2. */
export async function connectH2(url: string): Promise<ClientHttp2Session> {
  const session = connect(url, { rejectUnauthorized: false });
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

export interface H2Response {
  status: number;
  headers: Record<string, unknown>;
  text: string;
}

/** Makes a request of an HTTP/2 connection. */
export async function requestH2(
  session: ClientHttp2Session,
  method: string,
  path: string,
  body = '',
  headers: Record<string, string> = {},
): Promise<H2Response> {
  const stream = session.request(
    { ':method': method, ':path': path, ...headers },
    { endStream: body === '' },
  );
  if (body !== '') stream.end(body);
  return responseOf(stream);
}

/** Resolves to the whole response of a request. */
export async function responseOf(stream: ClientHttp2Stream): Promise<H2Response> {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk) => (text += chunk));
  const ended = once(stream, 'end');
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  await ended;
  return { status: Number(headers[constants.HTTP2_HEADER_STATUS]), headers, text };
}

/** An open event stream of an HTTP/2 connection. */
export interface H2Stream {
  stream: ClientHttp2Stream;
  status: number;
  events: Array<{ id: string | undefined; event: string; data: string }>;
  comments: string[];
  /** The last reconnection time, in ms. */
  retry(): number | undefined;
  /** Resolves when either side has ended it. */
  ended: Promise<void>;
}

/** Opens an event stream over an HTTP/2 connection. Resolves when it has its head. */
export async function openH2Stream(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string> = {},
): Promise<H2Stream> {
  const stream = session.request({ ':path': path, accept: 'text/event-stream', ...headers });
  stream.on('error', () => {});
  const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  const [events, comments]: [H2Stream['events'], string[]] = [[], []];
  let retry: number | undefined;
  const parser = createParser({
    onEvent: ({ id, event = 'message', data }) => void events.push({ id, event, data }),
    onComment: (comment) => void comments.push(comment),
    onRetry: (ms) => {
      retry = ms;
    },
  });
  stream.setEncoding('utf8').on('data', (chunk) => parser.feed(chunk));
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  const status = Number(head[constants.HTTP2_HEADER_STATUS]);
  return { stream, status, events, comments, retry: () => retry, ended };
}

export interface H2Viewer {
  /** The data of all events, in the order in which they came. */
  data: string[];
  /** How many times the stream has been opened. */
  opened(): number;
  /** How long it took from the end of a stream until the next one was open, in ms. */
  gaps: number[];
  close(): void;
}

/** Watches a stream over HTTP/2. Opens it again when it ends, after its reconnection time and with Last-Event-ID, as a browser does. */
export function watchH2(url: string, path: string): H2Viewer {
  const data: string[] = [];
  const gaps: number[] = [];
  let retryMs = 20;
  let endedAt: number | undefined;
  let closed = false;
  let opened = 0;
  let lastEventId: string | undefined;
  let session: ClientHttp2Session | undefined;

  async function open(): Promise<void> {
    session = await connectH2(url);
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const stream = session.request({ ':path': path, accept: 'text/event-stream', ...headers });
    const parser = createParser({
      onEvent: (event) => {
        lastEventId = event.id ?? lastEventId;
        data.push(event.data);
      },
      onRetry: (ms) => {
        retryMs = ms;
      },
    });
    stream.setEncoding('utf8').on('data', (chunk) => parser.feed(chunk));
    stream.on('error', () => {});
    const ended = once(stream, 'close');
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
    if (head[constants.HTTP2_HEADER_STATUS] === 200) {
      opened++;
      if (endedAt !== undefined) gaps.push(performance.now() - endedAt);
    }
    await ended;
    endedAt = performance.now();
  }
  const follow = async (): Promise<void> => {
    while (!closed) {
      await open().catch(() => {});
      session?.destroy();
      if (!closed) await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  };
  void follow();
  return {
    data,
    gaps,
    opened: () => opened,
    close() {
      closed = true;
      session?.destroy();
    },
  };
}

/** Waits until a viewer has got an event. */
export const seen = (viewer: H2Viewer, what: string): Promise<boolean> =>
  until(
    () => `the viewer gets ${what}; it has ${viewer.data.slice(-3).join(', ')}`,
    () => viewer.data.includes(what),
  );
