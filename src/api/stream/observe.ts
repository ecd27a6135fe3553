import type { ChannelHub } from '../../shared/channel/hub.js';
import { RESET_REASONS } from '../../shared/channel/reader.js';
import {
  streamChannels,
  streamConnects,
  streamReconnects,
  streamResets,
  streamViewers,
} from '../../shared/metrics/stream-metrics.js';
import type { StreamDoor } from './door.js';
import type { ViewerSet } from './viewer-set.js';

/** Adds the open streams of this process to the metrics. @returns a function that removes them */
export function observeStreams(
  { hub, streams }: { hub: ChannelHub; streams: StreamDoor },
  sets: Array<ViewerSet<unknown>>,
): () => void {
  const kinds = sets.map(({ kind }) => kind);
  streamConnects.beginAtZero([...kinds, 'poll']);
  streamReconnects.beginAtZero(kinds);
  streamResets.beginAtZero(RESET_REASONS);
  const removals = [
    streamViewers.from(() => [
      ...sets.map(({ kind, count }) => ({ labels: [kind], value: count })),
      { labels: ['waiting'], value: streams.count },
    ]),
    streamChannels.from(() => [{ labels: [], value: hub.size }]),
  ];
  return () => {
    for (const remove of removals) remove();
  };
}
