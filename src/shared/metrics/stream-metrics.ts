import { Counter, Gauge, Histogram } from './instruments.js';

export const streamViewers = new Gauge(
  'headway_stream_viewers',
  'Open streams: of channels and jobs, with waiting long polls (channel), of many jobs (overview), of dashboards (dashboard), and those that wait for Redis (waiting).',
  ['kind'],
);
export const streamChannels = new Gauge('headway_stream_channels', 'Channels with a viewer in this process.');
export const streamConnects = new Counter(
  'headway_stream_connects_total',
  'Streams that were opened, including reconnects, and long polls (poll).',
  ['kind'],
);
export const streamReconnects = new Counter(
  'headway_stream_reconnects_total',
  'Streams that were opened with a Last-Event-ID.',
  ['kind'],
);
export const streamResets = new Counter(
  'headway_stream_resets_total',
  'reset events: the viewer could not be given everything it missed.',
  ['reason'],
);
export const streamStalls = new Counter(
  'headway_stream_stalled_viewers_total',
  'Viewers that were disconnected because they did not read for STALL_TIMEOUT_MS.',
);

const streamEvents = new Counter(
  'headway_stream_events_total',
  'Events of channels that were written to viewers: as they were published (live), or read from Redis (replay).',
  ['delivery'],
);

export { streamEvents };
/** The series are looked up once, because each event of each viewer is counted. */
export const liveEvents = streamEvents.at('live');
export const replayedEvents = streamEvents.at('replay');
export const conflatedEvents = new Counter(
  'headway_stream_events_conflated_total',
  'State events that a viewer did not get because a newer one replaced them.',
);
export const streamBytes = new Counter(
  'headway_stream_written_bytes_total',
  'Bytes of stream bodies that were written to viewers.',
);
export const streamLag = new Histogram(
  'headway_stream_lag_seconds',
  'Time from when an event of a job happened until this process had written it to all its live viewers.',
  [],
  [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
);
