import { setTimeout as sleep } from 'node:timers/promises';
import { endStream, type StreamSink } from './handshake.js';

/** How often streams are ended, in ms. */
const STEP_MS = 50;
/** The time in which one viewer is disconnected, in ms, while there is time for all of them. */
const VIEWER_MS = 1;
/** Minimum delay until a viewer reconnects, in ms. */
const RETRY_MS = 1000;
/** The random part of the delay grows with the number of viewers, between these limits, in ms. */
const SPREAD_MS = { perViewer: 0.5, min: 1000, max: 10_000 };

/** Returns when a viewer of this process should reconnect, in ms: at a random time, so that not all come together. */
export const leavingRetryMs = (viewers: number): number =>
  RETRY_MS +
  Math.floor(Math.random() * Math.min(SPREAD_MS.max, Math.max(SPREAD_MS.min, viewers * SPREAD_MS.perViewer)));

/** Tells a viewer when to reconnect, and ends its stream. */
export function dismissStream(sink: StreamSink, viewers: number): void {
  if (!sink.destroyed) sink.write(Buffer.from(`retry: ${leavingRetryMs(viewers)}\n\n`));
  endStream(sink);
}

/** How the viewers of a process are disconnected. */
export interface Waves {
  /** The number of viewers of all sets. */
  viewers: number;
  /** The time for all of them, in ms. */
  windowMs: number;
}

/** Returns how to disconnect viewers in at most `limitMs`. */
export const planWaves = (viewers: number, limitMs: number): Waves => ({
  viewers,
  windowMs: Math.min(limitMs, viewers * VIEWER_MS),
});

/**
 * Ends streams one after another, evenly spread over a time: their viewers reconnect to the other processes, which could not
 * serve all of them in the same second.
 * @param remove called for each stream that is still open, before it is ended
 */
export async function endInWaves(
  sinks: readonly StreamSink[],
  { viewers, windowMs }: Waves,
  remove: (sink: StreamSink) => void,
): Promise<void> {
  const perStep = Math.ceil(sinks.length / Math.max(1, Math.ceil(windowMs / STEP_MS)));
  for (let i = 0; i < sinks.length; i += perStep) {
    if (i > 0) await sleep(STEP_MS);
    for (const sink of sinks.slice(i, i + perStep)) {
      if (sink.destroyed) continue;
      remove(sink);
      dismissStream(sink, viewers);
    }
  }
}
