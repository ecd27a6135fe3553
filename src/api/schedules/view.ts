import { jobLinks } from '../../shared/jobs/links.js';
import { jobIdOf, type OpenQueue } from '../../shared/jobs/queues.js';
import { runId } from '../../shared/jobs/scheduled-run.js';
import type { SnapshotReader } from '../../shared/lifecycle/snapshot.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { allRuns, isEnded, nextRun, readChain } from '../../shared/schedules/chain.js';
import type { Schedule } from '../../shared/schedules/schedule.js';
import type { ScheduleStore } from '../../shared/schedules/store.js';
import { upcoming } from '../../shared/schedules/timing.js';

export interface ScheduleViewOptions {
  store: ScheduleStore;
  openQueue: OpenQueue;
  readJob: SnapshotReader;
}

/**
 * Returns the paths of a schedule's resources.
 * @param base the path under which clients reach the service, such as `/headway`; empty for none
 */
export const scheduleLinks = (id: string, base: string) => ({
  self: `${base}/v1/schedules/${id}`,
  pause: `${base}/v1/schedules/${id}/pause`,
  resume: `${base}/v1/schedules/${id}/resume`,
  run: `${base}/v1/schedules/${id}/run`,
});

/**
 * Returns the body of `GET /v1/schedules/:id`. `startAt` and `endAt` are as the caller sent them; other times are ms since
 * 1970.
 * @param base as for {@link scheduleLinks}
 */
export async function scheduleView(
  schedule: Schedule,
  { store, openQueue, readJob }: ScheduleViewOptions,
  base: string,
): Promise<Record<string, unknown>> {
  const { id, queue, paused, key, options, cron, timeZone, everyMs, startAt, endAt, limit } = schedule;
  const [chain, counted] = await Promise.all([readChain(openQueue(queue), readJob, id), store.runs(id)]);
  const runs = allRuns(counted, chain);
  const { lastDue } = runs;
  const lastId =
    lastDue === undefined ? undefined : jobIdOf({ queue, id: runId({ schedule: id, dueAt: lastDue }) });
  const last = lastId === undefined ? undefined : await readJob(lastId);
  const next = nextRun(chain);
  const ended = !next && isEnded(schedule, runs, chain, serverNow());
  // Computed when BullMQ does not have the next run yet.
  const due = next && chain ? chain.dueAt : upcoming(schedule, lastDue, serverNow());
  return {
    id,
    name: schedule.name,
    state: paused ? 'paused' : ended ? 'ended' : 'active',
    data: schedule.data,
    ...(Object.keys(options).length > 0 ? { options } : {}),
    ...(cron === undefined ? { everyMs } : { cron, timeZone: timeZone ?? 'UTC' }),
    ...(startAt === undefined ? {} : { startAt }),
    ...(endAt === undefined ? {} : { endAt }),
    ...(limit === undefined ? {} : { limit }),
    ...(key === undefined ? {} : { key }),
    createdAt: schedule.createdAt,
    updatedAt: schedule.updatedAt,
    runs: runs.count,
    nextRunAt: paused || ended ? null : (due ?? null),
    nextRun: next && !paused ? { id: next.id, state: next.state, links: jobLinks(next.id, base) } : null,
    lastRun:
      lastId === undefined
        ? null
        : { id: lastId, dueAt: lastDue, state: last?.state ?? 'gone', links: jobLinks(lastId, base) },
    links: scheduleLinks(id, base),
  };
}
