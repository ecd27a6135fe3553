import type { Job } from 'bullmq';
import type { Batch } from '../../shared/channel/batch.js';
import { jobChannel } from '../../shared/channel/keys.js';
import { type PreparedEvent, type Publisher, prepareEvent } from '../../shared/channel/publisher.js';
import { newEpoch } from '../../shared/channel/scripts.js';
import type { WatcherQuery } from '../../shared/channel/watchers.js';
import { keyOfStored } from '../../shared/jobs/queues.js';
import { progressCoalesced, progressPublished, reportsLost } from '../../shared/metrics/job-metrics.js';
import type { Logger } from '../../shared/process/log.js';
import { nodeOf, type RedisClient } from '../../shared/redis/client.js';
import { scriptsOf } from '../../shared/redis/scripts.js';
import { untilTaken } from '../../shared/redis/until-taken.js';
import type { Missing } from './bound.js';
import { missingLine } from './job-log.js';
import { Newest } from './newest.js';
import type { ProgressData } from './progress.js';
import { ReportQueue } from './report-queue.js';
import { reportingScripts } from './scripts.js';
import type { ReportSink } from './sink.js';

export interface ReportSinkOptions {
  publisher: Publisher;
  presence: WatcherQuery;
  batch: Batch;
  redis: RedisClient;
  jobId: string;
  job: Job;
  /** Publishes that the attempt has begun, if Redis has lost that event. */
  begin: () => Promise<unknown>;
  /** Number of lines that BullMQ's log of the job keeps. */
  logLines: number;
  log: Logger;
}

/** Creates the report sink of a run in this thread, which publishes to the channel of the job and to BullMQ. */
export function createReportSink(options: ReportSinkOptions): ReportSink {
  const { publisher, presence, batch, redis, jobId, job, logLines, log } = options;
  const scripts = scriptsOf(redis, reportingScripts);
  const key = keyOfStored(job);
  const channel = jobChannel(jobId);
  const attempt = job.attemptsStarted;
  let source: string | undefined;

  /** Identifies this run. The id contains the time of Redis, to tell which of two runs of an attempt began later. */
  async function readSource(): Promise<string> {
    const [seconds, micros] = await nodeOf(redis, key).time();
    source ??= `${attempt}.${seconds}${String(micros).padStart(6, '0')}.${newEpoch()}`;
    return source;
  }

  const warn = (message: string): void => log.warn(message);
  const batched = <T>(call: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => batch(() => void (async () => call())().then(resolve, reject)));

  const events = new ReportQueue<PreparedEvent>({
    send(entries, first, skip) {
      const call = (source: string) =>
        publisher.publishInRow(channel, entries, {
          numbering: { source, first, skip },
          fence: { attempt },
        });
      // Not async: this is called for each update.
      return source === undefined ? readSource().then(call) : call(source);
    },
    begin: options.begin,
    onMissing(count) {
      lost(count);
      publishMissing({ other: count });
    },
    warn,
  });
  const lines = new ReportQueue<string>({
    async send(entries, first, skip) {
      const from = source ?? (await readSource());
      const call = () =>
        scripts.logJob(key, `${key}:logs`, logLines, from, first, skip ? '1' : '', ...entries);
      const last = await batched(call);
      if (last === null) return { state: 'refused' };
      return last < first + entries.length - 1 ? { state: 'missing', last } : { state: 'taken' };
    },
    begin: async () => {},
    // BullMQ's log is a copy; the stream reports missing lines.
    onMissing: () => {},
    warn,
  });
  // Bull Board reads the percentage from `progress`.
  const bullMqProgress = new Newest<ProgressData>(
    (data) =>
      untilTaken(() =>
        batched(() => job.updateProgress(data.percent === null ? data : { ...data, progress: data.percent })),
      ),
    (error) => warn(`could not update the progress in BullMQ: ${error}`),
  );

  function lost(count: number): void {
    reportsLost.only.value += count;
  }
  function event(name: string, json: string, onDone?: () => void): void {
    events.put(prepareEvent({ event: name, data: json, isJson: true }), json.length, onDone);
  }
  function publishMissing(missing: Missing): void {
    event('log', JSON.stringify({ jobId, attempt, ...missingLine(missing) }));
  }
  return {
    progress(data, reports) {
      progressPublished.only.value++;
      progressCoalesced.only.value += reports - 1;
      const prepared = prepareEvent({ event: 'progress', kind: 'state', data });
      return new Promise<void>((resolve) => events.put(prepared, prepared.body.length, resolve));
    },
    bullMqProgress(data) {
      bullMqProgress.put(data);
      return bullMqProgress.delivered();
    },
    event,
    lost,
    bullMqLog: (line, onDone) => lines.put(line, line.length, onDone),
    warn,
    watchers: async () => (await untilTaken(() => presence.watchers(channel))).watchers,
    poll: () => {},
    delivered: () => Promise.all([events.delivered(), lines.delivered(), bullMqProgress.delivered()]),
    drop() {
      events.close();
      lines.close();
    },
  };
}
