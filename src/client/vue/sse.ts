import type { ProblemError } from '../errors.js';
import { baseOf, call, isAddress, type ServiceOptions } from '../http.js';
import { openStream, type Stream } from '../stream.js';
import { tell } from '../watch.js';

/** How the data of an event is given: as text, as JSON, or as a function makes of it. */
export type SseFormat = 'plain' | 'json' | ((data: string) => unknown);

/** What vue-sse's `create` took, as far as it has a meaning here. */
export interface SseConfig {
  /**
   * Any event stream of the service, like `/stream?channel=news`, or a whole address. A stream of another service gets
   * neither the token nor the headers of this one.
   */
  url: string;
  format?: SseFormat;
  /** Sends cookies to another origin. */
  withCredentials?: boolean;
}

type Handler = (data: unknown, lastEventId: string | undefined) => void;

/** A stream with the methods of a client of vue-sse 2. */
export interface SseClient {
  /** Opens it; resolves when it is open. @throws ProblemError when it is refused */
  connect(): Promise<SseClient>;
  disconnect(): void;
  /** @param event its name; `message` or nothing for those without one; `error` for the end by an error */
  on(event: string, handler: Handler): SseClient;
  once(event: string, handler: Handler): SseClient;
  /** Without a handler: all of them. */
  off(event: string, handler?: Handler): SseClient;
}

/** Makes streams in the manner of vue-sse, which reconnect and resume as all of ours do. */
export function createSse(service: ServiceOptions, silenceMs = 45_000) {
  return {
    create(given: string | SseConfig): SseClient {
      const { url, format = 'plain', withCredentials } = typeof given === 'string' ? { url: given } : given;
      const handlers = new Map<string, Set<Handler>>();
      let stream: Stream | undefined;
      let lastEventId: string | undefined;
      const emit = (event: string, data: unknown): void => {
        for (const handler of [...(handlers.get(event) ?? [])]) tell(handler, data, lastEventId);
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
                  // It is not in the format that was said.
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
 * Where a stream is, and how the service presents itself there.
 * @throws TypeError for an address that is none
 */
function locate(service: ServiceOptions, url: string): ServiceOptions & { path: string } {
  if (!isAddress(url) && !url.startsWith('//')) {
    const base = baseOf(service);
    // A link of a service below a path begins with that path.
    const root = new URL(base).pathname;
    return { ...service, path: (url.startsWith(root) ? url.slice(root.length) : url).replace(/^\/+/, '') };
  }
  const page = (globalThis as { location?: { href: string } }).location?.href;
  const { href, protocol } = new URL(url, page);
  if (!/^https?:$/.test(protocol)) throw new TypeError(`${url} is no address of a stream`);
  if (service.url === undefined && page === undefined) return { fetch: service.fetch, path: href };
  return href.startsWith(baseOf(service)) ? { ...service, path: href } : { fetch: service.fetch, path: href };
}

/** What `this.$sse` is. */
export type Sse = ReturnType<typeof createSse>;
