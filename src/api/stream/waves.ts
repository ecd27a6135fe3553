import { setTimeout as sleep } from 'node:timers/promises';
import { endStream, type StreamSink } from './handshake.js';

/** How often streams are ended, in ms. */
const STEP_MS = 50;
/** The time in which one viewer is disconnected, in ms, while there is time for all of them. */
const VIEWER_MS = 1;
/** When a viewer reconnects, in ms: after a minimum and a random time, at least as long as `spread`. */
const SOON_MS = { min: 100, spread: 500 };
const LATER_MS = { min: 1000, spread: 1000 };
/** The random time grows with the number of viewers. */
const SPREAD_MS = { perViewer: 0.5, max: 10_000 };

/** What is known of the viewers of a process that leaves. */
export interface Leaving {
  /** The number of viewers of all sets. */
  viewers: number;
  /** Whether another API process runs, which can take the viewers. */
  takenOver: boolean;
}

/** Returns when a viewer of this process should reconnect, in ms: at a random time, so that not all come together. */
export function leavingRetryMs({ viewers, takenOver }: Leaving): number {
  const { min, spread } = takenOver ? SOON_MS : LATER_MS;
  const ms = Math.min(SPREAD_MS.max, Math.max(spread, viewers * SPREAD_MS.perViewer));
  return min + Math.floor(Math.random() * ms);
}

/** Tells a viewer when to reconnect, and ends its stream. */
export function dismissStream(sink: StreamSink, leaving: Leaving): void {
  if (!sink.destroyed) sink.write(Buffer.from(`retry: ${leavingRetryMs(leaving)}\n\n`));
  endStream(sink);
}

/** How the viewers of a process are disconnected. */
export interface Waves extends Leaving {
  /** The time for all of them, in ms. */
  windowMs: number;
}

/** Returns how to disconnect viewers in at most `limitMs`. */
export const planWaves = (leaving: Leaving, limitMs: number): Waves => ({
  ...leaving,
  windowMs: Math.min(limitMs, leaving.viewers * VIEWER_MS),
});

/**
 * Ends streams one after another, evenly spread over a time: their viewers reconnect to the other processes, which could not
 * serve all of them in the same second.
 * @param remove called for each stream that is still open, before it is ended
 */
export async function endInWaves(
  sinks: readonly StreamSink[],
  waves: Waves,
  remove: (sink: StreamSink) => void,
): Promise<void> {
  const perStep = Math.ceil(sinks.length / Math.max(1, Math.ceil(waves.windowMs / STEP_MS)));
  for (let i = 0; i < sinks.length; i += perStep) {
    if (i > 0) await sleep(STEP_MS);
    for (const sink of sinks.slice(i, i + perStep)) {
      if (sink.destroyed) continue;
      remove(sink);
      dismissStream(sink, waves);
    }
  }
}
