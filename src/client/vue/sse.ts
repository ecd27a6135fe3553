import type { ProblemError } from '../errors.js';
import { baseUrl, call, isAbsoluteUrl, type ServiceOptions } from '../http.js';
import { openStream, type Stream } from '../stream.js';
import { callListener } from '../watch.js';

/** How the data of an event is passed on: as text, as parsed JSON, or converted by a function. */
export type SseFormat = 'plain' | 'json' | ((data: string) => unknown);

/** The options of vue-sse's `create` that apply here. */
export interface SseConfig {
  /**
   * Any event stream of the service, such as `/stream?channel=news`, or an absolute URL. A stream of another service
   * gets neither the token nor the headers of this one.
   */
  url: string;
  format?: SseFormat;
  /** Sends cookies to another origin. Defaults to `false`. */
  withCredentials?: boolean;
}

type Handler = (data: unknown, lastEventId: string | undefined) => void;

/** A stream with the methods of a vue-sse 2 client. */
export interface SseClient {
  /** Opens the stream. Resolves once it is open. @throws ProblemError when the stream is refused */
  connect(): Promise<SseClient>;
  disconnect(): void;
  /** @param event the event's name; `message` or an empty text for unnamed events; `error` for an error that ends the stream */
  on(event: string, handler: Handler): SseClient;
  once(event: string, handler: Handler): SseClient;
  /** Removes a handler. Without one, removes all handlers of the event. */
  off(event: string, handler?: Handler): SseClient;
}

/** Creates streams with the interface of vue-sse. They reconnect and resume like all streams of the client. */
export function createSse(service: ServiceOptions, silenceMs = 45_000) {
  return {
    create(given: string | SseConfig): SseClient {
      const { url, format = 'plain', withCredentials } = typeof given === 'string' ? { url: given } : given;
      const handlers = new Map<string, Set<Handler>>();
      let stream: Stream | undefined;
      let lastEventId: string | undefined;
      const emit = (event: string, data: unknown): void => {
        for (const handler of [...(handlers.get(event) ?? [])]) callListener(handler, data, lastEventId);
      };
      const read = (data: string): unknown =>
        typeof format === 'function' ? format(data) : format === 'json' ? JSON.parse(data) : data;

      const client: SseClient = {
        connect: () =>
          new Promise((resolve, reject) => {
            stream?.close();
            const { path, ...from } = locate(service, url);
            if (withCredentials) from.credentials = 'include';
            stream = openStream({
              silenceMs,
              // Another service may send nothing before its first event, and cannot be polled.
              mutedMs: silenceMs,
              canPoll: false,
              onPosition() {},
              connect: (signal) =>
                call(from, path, {
                  signal,
                  headers: {
                    Accept: 'text/event-stream',
                    ...(lastEventId ? { 'Last-Event-ID': lastEventId } : {}),
                  },
                }),
              onStatus: (status) => {
                if (status === 'live') resolve(client);
              },
              onEvent: ({ id, event, data }) => {
                lastEventId = id ?? lastEventId;
                try {
                  emit(event, read(data));
                } catch (error) {
                  // The data is not in the given format.
                  emit('error', error);
                }
              },
              onEnd: (error?: ProblemError) => {
                if (!error) return resolve(client);
                emit('error', error);
                reject(error);
              },
            });
          }),
        disconnect() {
          stream?.close();
          stream = undefined;
        },
        on(event, handler) {
          const name = event || 'message';
          handlers.set(name, (handlers.get(name) ?? new Set()).add(handler));
          return client;
        },
        once(event, handler) {
          const own: Handler = (...args) => {
            client.off(event, own);
            handler(...args);
          };
          return client.on(event, own);
        },
        off(event, handler) {
          if (handler) handlers.get(event || 'message')?.delete(handler);
          else handlers.delete(event || 'message');
          return client;
        },
      };
      return client;
    },
  };
}

/**
 * Resolves the URL of a stream, with the options for requests to it.
 * @throws TypeError for an invalid URL
 */
function locate(service: ServiceOptions, url: string): ServiceOptions & { path: string } {
  if (!isAbsoluteUrl(url) && !url.startsWith('//')) {
    const base = baseUrl(service);
    // The links of a service below a path start with that path.
    const root = new URL(base).pathname;
    return { ...service, path: (url.startsWith(root) ? url.slice(root.length) : url).replace(/^\/+/, '') };
  }
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const { href, protocol } = new URL(url, page);
  if (!/^https?:$/.test(protocol)) throw new TypeError(`${url} is not the URL of a stream`);
  if (service.url === undefined && page === undefined) return { fetch: service.fetch, path: href };
  return href.startsWith(baseUrl(service))
    ? { ...service, path: href }
    : { fetch: service.fetch, path: href };
}

/** The type of `this.$sse`. */
export type Sse = ReturnType<typeof createSse>;
