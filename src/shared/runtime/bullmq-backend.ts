import {
  type BackendFactory,
  createRedisBackend,
  type JobsOptions,
  type RedisQueueBackend,
  type RepeatOptions,
} from 'bullmq';
import { runOf } from '../jobs/scheduled-run.js';
import { serverNow } from '../redis/server-clock.js';
import { repeatStrategy } from '../schedules/repeat.js';

/** Which argument of BullMQ's scripts, the keys counted in, is the time now. BullMQ passes that of the process. */
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
/** The scripts that also answer when the next delayed job is due. */
const SAYS_NEXT_DUE = new Set(['moveToActive', 'moveToDelayed', 'moveToFinished']);
const NEXT_DUE = 3;

/**
 * BullMQ's access to Redis, by Redis' clock. BullMQ decides by the clock of each process when a delayed job is due and when
 * a scheduler makes its next run; processes whose clocks differ would begin jobs early, late, or twice. Only what BullMQ
 * compares with the process's clock itself, to find out how long it may sleep, is translated back.
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
  backend.addJobToTransaction = (client, job, ...rest) =>
    addJob(client, job.opts.timestamp ? job : { ...job, timestamp: serverNow() }, ...rest);
  backend.waitForJob = async (timeout) => {
    const marker = await waitForJob(timeout);
    return marker && { ...marker, score: toLocal(marker.score) };
  };
  backend.addJobScheduler = (id, next, data, template, repeat, run, producer) => {
    const due = repeat.pattern ? nextDue(run, template.prevMillis) : next;
    return addJobScheduler(id, due, data, template, repeat, dueAt(run, due), producer);
  };
  backend.updateJobSchedulerNextMillis = (id, next, data, run, producer) => {
    const due = repeatOf(run).pattern ? nextDue(run, runOf(producer ?? '')?.dueAt) : next;
    return updateJobSchedulerNextMillis(id, due, data, dueAt(run, due), producer);
  };
  return backend;
};

/** When the run after `previous` is due, if it is not over. BullMQ has raised its answer to the process's time. */
const nextDue = (run: JobsOptions, previous = 0): number =>
  repeatStrategy(Math.max(previous, serverNow()), repeatOf(run))!;

/** How a run is repeated, which BullMQ's types leave out. */
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

/** A time by Redis' clock as the process's clock will show it; 0 means none. */
const toLocal = (at: number): number => (at > 0 ? Math.max(1, at - serverNow() + Date.now()) : at);
