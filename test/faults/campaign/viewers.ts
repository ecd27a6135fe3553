import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../../support/random.js';
import { compact } from './compact.js';
import type { ViewerRecord } from './records.js';
import { openSse } from './sse-client.js';

export interface ViewerOptions {
  name: string;
  url: string;
  token?: string | undefined;
  random: Random;
  /** Drops its connection from time to time. */
  returns?: boolean;
  /** Reads in small portions, with pauses. */
  slow?: boolean;
  /** Reconnects sooner than the stream asks for. */
  eager?: boolean;
  /** Aborted to end the viewer. */
  signal: AbortSignal;
}

/** Watches one stream like an `EventSource`, and keeps its events. */
export interface Viewer {
  record: ViewerRecord;
  /** Resolves at a 204, or when the viewer is aborted. */
  done: Promise<void>;
}

const EAGER_MS = 150;
/** Bytes that a slow viewer reads at a time. */
const SLOW_BYTES = 8 * 1024;
/** Responses after which an `EventSource` gives up. This viewer continues, so that the rest is checked too. */
const REFUSED_MS = 400;

export function startViewer(options: ViewerOptions): Viewer {
  const { name, random, signal } = options;
  const record: ViewerRecord = { name, seen: [], refusals: [] };
  return { record, done: follow() };

  async function follow(): Promise<void> {
    let gone = 0;
    let unpaused = 0;
    let lastEventId = '';
    let retryMs = 2000;
    while (!signal.aborted) {
      const connection = openSse({
        url: options.url,
        token: options.token,
        lastEventId,
        onEvent(event) {
          if (event.id) lastEventId = event.id;
          record.seen.push(compact(event, Date.now()));
        },
        onRetry(ms) {
          retryMs = ms;
        },
        ...(options.slow
          ? {
              onBytes(response, length) {
                unpaused += length;
                if (unpaused < SLOW_BYTES) return;
                unpaused = 0;
                response.pause();
                setTimeout(() => response.resume(), random.between(5, 120));
              },
            }
          : {}),
      });
      const stop = (): void => connection.close();
      signal.addEventListener('abort', stop);
      const drop = options.returns ? setTimeout(stop, random.between(200, 2500)) : undefined;
      const { status } = await connection.closed;
      clearTimeout(drop);
      signal.removeEventListener('abort', stop);
      if (signal.aborted) return;
      if (status === 204) {
        record.doneAt = Date.now();
        return;
      }
      if (status === 404 || status === 410) {
        // The job is removed for good.
        if (++gone === 3) return;
      } else gone = 0;
      if (status !== undefined) record.refusals.push({ at: Date.now(), status });
      const wait = status !== undefined ? REFUSED_MS : options.eager ? EAGER_MS : retryMs;
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }
}
