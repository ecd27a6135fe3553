/** The client of Headway for browsers and Node: starts jobs, watches jobs and channels. */

export type { ChannelOptions, Channels } from './channel.js';
export {
  type Client,
  type ClientOptions,
  createClient,
  type JobOf,
  type JobReference,
  type Publication,
  type PublishOptions,
  type StartArguments,
  type StartOptions,
} from './client.js';
export { JobCancelledError, JobFailedError, type Problem, ProblemError } from './errors.js';
export type { RetryListener } from './http.js';
export type { Job, JobListeners, WatchJobOptions } from './job.js';
export type {
  AnyJobs,
  DataOf,
  EventsOf,
  JobMap,
  Jobs,
  JobTypes,
  KindsOf,
  NameOf,
  ResultOf,
} from './jobs.js';
export type { Jsonify, NotJson } from './json.js';
export type { Status } from './stream.js';
export type * from './types.js';
export type { Upload, WithFiles } from './upload.js';
export type { WatchOptions } from './watch.js';
