import { Counter, Gauge, Histogram } from './instruments.js';

export const buildInfo = new Gauge('headway_build_info', 'Always 1. The version and role of a process.', [
  'role',
  'version',
]);

export const processCrashes = new Counter(
  'headway_process_crashes_total',
  'Processes that ended unexpectedly and that the supervisor has replaced.',
);

export const redisUp = new Gauge(
  'headway_redis_up',
  '1 if Redis answers the process, else 0. Metrics that are read from Redis then have their last values.',
  ['role'],
);
export const redisCommands = new Counter(
  'headway_redis_commands_total',
  'Commands that were sent to Redis, by the purpose of the connection.',
  ['connection'],
);
export const redisLatency = new Histogram(
  'headway_redis_command_duration_seconds',
  'Time until Redis answered, including the time in the queue of the connection. One command at a time is measured on each connection; blocking commands are not.',
  ['connection'],
  [0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
);
export const redisOutages = new Counter(
  'headway_redis_outages_total',
  'Connections to Redis that were lost.',
  ['connection'],
);
export const redisOutageSeconds = new Counter(
  'headway_redis_outage_seconds_total',
  'How long lost connections took to come back.',
  ['connection'],
);

export const httpRequests = new Counter(
  'headway_http_requests_total',
  'Requests that were answered. The path is a template; all unknown paths are "other".',
  ['method', 'route', 'status'],
);
export const httpDuration = new Histogram(
  'headway_http_request_duration_seconds',
  'Time until a request was answered. For a stream, until it was opened. Long polls are not measured.',
  ['method', 'route'],
  [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
);
export const httpErrors = new Counter(
  'headway_http_errors_total',
  'Errors that were sent to clients, by code.',
  ['code'],
);
export const limitRefusals = new Counter(
  'headway_limit_refusals_total',
  'Requests that were refused because of a limit.',
  ['limit'],
);

export const storageRequests = new Counter(
  'headway_file_storage_requests_total',
  'Calls to the S3-compatible storage of `FILES_URL`, with all their tries.',
  ['operation', 'outcome'],
);
export const storageDuration = new Histogram(
  'headway_file_storage_request_duration_seconds',
  'Time until the file storage has answered a call, with all its tries. For a download, until its first byte; for an upload, until its end.',
  ['operation'],
  [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
);
