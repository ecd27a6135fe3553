import {
  type BackendFactory,
  createRedisBackend,
  type JobsOptions,
  type RedisQueueBackend,
  type RepeatOptions,
} from 'bullmq';
import { runOf } from '../jobs/scheduled-run.js';
import { serverNow } from '../redis/server-clock.js';
import { repeatStrategy } from '../schedules/cron.js';

/** The index of the current time among the keys and arguments of each BullMQ script. BullMQ passes the process's time. */
export const NOW_AT: Readonly<Record<string, number>> = {
  moveToActive: 12,
  moveToDelayed: 12,
  moveToFinished: 15,
  moveToWaitingChildren: 9,
  retryJob: 12,
  moveStalledJobsToWait: 11,
  changeDelay: 5,
  addJobScheduler: 17,
  updateJobScheduler: 16,
};
/** The scripts whose reply contains the due time of the next delayed job. */
const SAYS_NEXT_DUE = new Set(['moveToActive', 'moveToDelayed', 'moveToFinished']);
const NEXT_DUE = 3;

/**
 * BullMQ's access to Redis, with Redis' clock. BullMQ uses the clock of each process to decide when a delayed job is due and
 * when a scheduler creates its next run; if clocks differ, jobs start early, late or twice. Times that BullMQ compares with the
 * clock of the process, to find out how long it may sleep, are converted back.
 */
export const serverTimedBackend: BackendFactory<RedisQueueBackend> = (name, opts, options) => {
  const backend = createRedisBackend(name, opts, options);
  const execCommand = backend.execCommand.bind(backend);
  const waitForJob = backend.waitForJob.bind(backend);
  const addJob = backend.addJobToTransaction.bind(backend);
  const addJobScheduler = backend.addJobScheduler.bind(backend);
  const updateJobSchedulerNextMillis = backend.updateJobSchedulerNextMillis.bind(backend);

  backend.execCommand = (client, command, args) => {
    const at = NOW_AT[command];
    if (at !== undefined) args[at] = serverNow();
    const answer = execCommand(client, command, args);
    return SAYS_NEXT_DUE.has(command) ? answer.then(withLocalDue) : answer;
  };
  backend.addJobToTransaction = (client, job, ...rest) => {
    if (!job.opts.timestamp) job.timestamp = serverNow();
    return addJob(client, job, ...rest);
  };
  backend.waitForJob = async (timeout) => {
    const marker = await waitForJob(timeout);
    return marker && { ...marker, score: toLocal(marker.score) };
  };
  backend.addJobScheduler = (id, next, data, template, repeat, run, producer) => {
    const due = repeat.pattern ? nextDue(run, next, template.prevMillis) : next;
    return addJobScheduler(id, due, data, template, repeat, dueAt(run, due), producer);
  };
  backend.updateJobSchedulerNextMillis = (id, next, data, run, producer) => {
    const due = repeatOf(run).pattern ? nextDue(run, next, runOf(producer ?? '')?.dueAt) : next;
    return updateJobSchedulerNextMillis(id, due, data, dueAt(run, due), producer);
  };
  return backend;
};

/** Returns when the run after `previous` is due. BullMQ's own value, `next`, depends on the clock of the process. */
const nextDue = (run: JobsOptions, next: number, previous = 0): number =>
  repeatStrategy(Math.max(previous, serverNow()), repeatOf(run)) ?? next;

/** Returns the repeat options of a run, which BullMQ's types leave out. */
const repeatOf = (run: JobsOptions): RepeatOptions => (run as { repeat?: RepeatOptions }).repeat ?? {};

const dueAt = (run: JobsOptions, due: number): JobsOptions => ({
  ...run,
  timestamp: serverNow(),
  prevMillis: due,
});

function withLocalDue(answer: unknown): unknown {
  if (Array.isArray(answer) && answer[NEXT_DUE]) answer[NEXT_DUE] = toLocal(Number(answer[NEXT_DUE]));
  return answer;
}

/** Converts a time by Redis' clock to the clock of the process. 0 means none. */
const toLocal = (at: number): number => (at > 0 ? Math.max(1, at - serverNow() + Date.now()) : at);
