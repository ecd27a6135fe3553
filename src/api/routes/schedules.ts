import { randomUUID } from 'node:crypto';
import { type Request, type Response, Router } from 'express';
import type { HeadwayError } from '../../shared/errors.js';
import { ANONYMOUS_CALLER, isVisitor } from '../../shared/jobs/limits.js';
import { jobLinks } from '../../shared/jobs/links.js';
import { newJobId } from '../../shared/jobs/queues.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import type { ScheduleMaintainer } from '../../shared/schedules/maintainer.js';
import type { Schedule } from '../../shared/schedules/schedule.js';
import { placedQueue } from '../../shared/shards.js';
import { NO_GRANTS, type Principal } from '../auth/principal.js';
import { basePath } from '../http/base-path.js';
import { invalid } from '../http/invalid.js';
import { methods } from '../http/problem.js';
import { noteInEntry, requestIdOf } from '../http/request-entry.js';
import { requireKind } from '../jobs/permission.js';
import type { LimitedCaller } from '../limits/caller.js';
import { refusal } from '../limits/refusal.js';
import {
  applyChange,
  forbiddenOptions,
  parseBody,
  parseChange,
  type ScheduleBody,
} from '../schedules/body.js';
import {
  bodyOf,
  type Planned,
  planSchedule,
  replan,
  scheduleNotFound,
  withPaused,
} from '../schedules/plan.js';
import { hasShorterGap } from '../schedules/shortest-gap.js';
import { scheduleLinks, scheduleView } from '../schedules/view.js';
import type { JobRoutesOptions } from './jobs.js';

const PAGE = 50;
const MAX_PAGE = 200;
/** When a caller with too many schedules should try again, in ms. A schedule stays until it is deleted. */
const RETRY_AFTER_MS = 60_000;

export interface ScheduleRoutesOptions extends JobRoutesOptions {
  schedules: ScheduleMaintainer;
}

/** `/v1/schedules`: recurring jobs. Only the owner of a schedule and admins have access to it. */
export function scheduleRoutes(options: ScheduleRoutesOptions): Router {
  const { config, connection, openQueue, plan, access, schedules, starter, limitedStarter, limiter } =
    options;
  const { store, sync } = schedules;
  const view = (schedule: Schedule, req: Request): Promise<Record<string, unknown>> =>
    scheduleView(schedule, { store, openQueue, readJob: connection.readJob }, basePath(req));
  const router = Router();

  router.route('/').all(methods('GET', 'POST')).get(list).post(create);
  router
    .route('/:id')
    .all(methods('GET', 'PATCH', 'DELETE'))
    .get(show)
    .patch(change)
    .delete(remove);
  router.route('/:id/pause').all(methods('POST')).post(setPaused(true));
  router.route('/:id/resume').all(methods('POST')).post(setPaused(false));
  router.route('/:id/run').all(methods('POST')).post(runNow);
  return router;

  async function create(req: Request, res: Response): Promise<void> {
    const caller = await access.admit(req, res);
    const body = await parseBody(req.body);
    const planned = await planFor(body, caller);
    const limited = limiter.caller(req, caller);
    requireInterval(planned, limited);
    for (;;) {
      const present = body.key === undefined ? undefined : await store.byKey(caller.id, body.key);
      if (present) {
        const now = await update(present.id, (schedule) => replan(schedule, planned, serverNow()));
        // The schedule was deleted in the meantime: a new one is created.
        if (!now) continue;
        noteInEntry(req, { target: `schedule:${now.id}` });
        res.location(scheduleLinks(now.id, basePath(req)).self).json(await view(now, req));
        return;
      }
      const now = serverNow();
      const id = randomUUID();
      const schedule: Schedule = {
        ...planned,
        id,
        queue: placedQueue(planned.queue, id, connection.keyspace.shards),
        ...(limited.kind === 'anonymous' && !limited.exempt ? { origin: limited.address } : {}),
        paused: false,
        createdAt: now,
        updatedAt: now,
        version: 1,
        timedIn: 1,
      };
      const max = limiter.max('schedules', limited);
      const saved = await store.save(schedule, max);
      if (saved === 'full') throw tooManySchedules(max ?? 0);
      // Another request with the same key was faster.
      if (saved !== 'saved') continue;
      await sync(schedule.id);
      noteInEntry(req, { target: `schedule:${schedule.id}` });
      res
        .status(201)
        .location(scheduleLinks(schedule.id, basePath(req)).self)
        .json(await view(schedule, req));
      return;
    }
  }

  async function list(req: Request, res: Response): Promise<void> {
    const caller = await access.principal(req);
    const { limit, cursor } = pageOf(req);
    const { schedules: found, next } = caller
      ? await store.page(caller.admin ? undefined : caller.id, limit, cursor)
      : { schedules: [], next: undefined };
    res.set('Cache-Control', 'no-store').json({
      schedules: await Promise.all(found.map((schedule) => view(schedule, req))),
      ...(next === undefined ? {} : { next: Buffer.from(next).toString('base64url') }),
    });
  }

  async function show(req: Request, res: Response): Promise<void> {
    const { schedule } = await find(req);
    res.set('Cache-Control', 'no-store').json(await view(schedule, req));
  }

  async function change(req: Request, res: Response): Promise<void> {
    const { schedule: found, caller } = await findToRun(req);
    const requested = await parseChange(req.body);
    const limited = limiter.caller(req, caller);
    const now = await update(found.id, async (schedule) => {
      const planned = await planFor(applyChange(bodyOf(schedule), requested), onBehalf(schedule, caller));
      requireInterval(planned, limited);
      return replan(schedule, planned, serverNow());
    });
    if (!now) throw scheduleNotFound();
    res.json(await view(now, req));
  }

  function setPaused(paused: boolean): (req: Request, res: Response) => Promise<void> {
    return async (req, res) => {
      // A schedule can be paused by its owner, whatever that caller may start.
      const { schedule: found } = await (paused ? find(req) : findToRun(req));
      const now = await update(found.id, (schedule) => withPaused(schedule, paused, serverNow()));
      if (!now) throw scheduleNotFound();
      res.json(await view(now, req));
    };
  }

  async function runNow(req: Request, res: Response): Promise<void> {
    const { schedule, caller } = await findToRun(req);
    const { name, data, options: jobOptions } = schedule;
    const request = await starter.check({ name, data, options: jobOptions }, onBehalf(schedule, caller));
    // The runs of a schedule are a family.
    const newId = newJobId(schedules.queueOf(schedule));
    const [{ id, state: newState } = { id: newId, state: undefined }] = await limitedStarter.startAll(
      limiter.caller(req, caller),
      [{ id: newId, request: { ...request, requestId: requestIdOf(req) } }],
    );
    noteInEntry(req, { jobId: id });
    const state = newState ?? (await connection.trackJob(id))?.state ?? 'waiting';
    const links = jobLinks(id, basePath(req));
    const token = access.token(id);
    res.status(202).location(links.self).json({ id, name, state, links, token });
  }

  async function remove(req: Request, res: Response): Promise<void> {
    const { schedule: found } = await find(req);
    await update(found.id, (schedule) => {
      const now = serverNow();
      return { ...schedule, deletedAt: now, updatedAt: now, version: schedule.version + 1 };
    });
    res.status(204).end();
  }

  /** Checks the time between the runs of an anonymous caller's schedule. @throws HeadwayError `invalid-request` */
  function requireInterval(planned: Planned, { tier, exempt }: LimitedCaller): void {
    const minMs = config.LIMIT_INTERVAL_ANONYMOUS_MS;
    if (tier !== 'anonymous' || exempt || minMs === 0 || !hasShorterGap(planned, minMs, serverNow())) return;
    const pointer = planned.cron === undefined ? '/everyMs' : '/cron';
    throw invalid([
      { pointer, detail: `must leave at least ${minMs} ms between two runs; sign in for less` },
    ]);
  }

  /** Validates the job and the times of a body. */
  async function planFor(body: ScheduleBody, caller: Principal): Promise<Planned> {
    const { name, data, options: jobOptions } = body;
    const errors = forbiddenOptions(jobOptions);
    if (errors.length > 0) throw invalid(errors);
    const request = await starter.check({ name, data, options: jobOptions }, caller);
    return planSchedule(body, request, plan, serverNow());
  }

  /** Returns the schedule in the path, and the caller. @throws HeadwayError `not-found` when it does not exist, or the caller may not access it */
  async function find(
    req: Request,
    identify = access.principal,
  ): Promise<{ schedule: Schedule; caller: Principal }> {
    const caller = await identify(req);
    const schedule = caller && (await store.read(String(req.params.id)));
    if (!schedule || schedule.deletedAt !== undefined) throw scheduleNotFound();
    if (!caller.admin && caller.id !== schedule.owner) throw scheduleNotFound();
    return { schedule, caller };
  }

  /** Like `find`, for a request that has jobs started. @throws HeadwayError also when the caller may not start such jobs */
  async function findToRun(req: Request): Promise<{ schedule: Schedule; caller: Principal }> {
    const found = await find(req, access.requireStarter);
    requireKind(found.caller, found.schedule.name);
    return found;
  }

  /**
   * Changes a schedule and updates BullMQ. Starts again when another request changes the schedule at the same time.
   * @param next returns the changed schedule; `undefined` when nothing changes
   * @returns the current schedule; `undefined` when it has been deleted
   */
  async function update(
    id: string,
    next: (schedule: Schedule) => Promise<Schedule | undefined> | Schedule | undefined,
  ): Promise<Schedule | undefined> {
    for (;;) {
      const present = await store.read(id);
      if (!present || present.deletedAt !== undefined) return undefined;
      const after = await next(present);
      if (!after) return present;
      if ((await store.save(after)) !== 'saved') continue;
      await sync(id);
      return after;
    }
  }
}

function tooManySchedules(max: number): HeadwayError {
  const detail = `You have as many schedules as the limit of ${max} allows. Delete one first.`;
  return refusal({ limit: 'schedules', max, retryAfterMs: RETRY_AFTER_MS, detail });
}

/**
 * Returns the principal that a schedule's jobs are checked for. A schedule keeps its owner when an admin changes it. The
 * limits are those of the caller, except that a visitor's schedule keeps those of visitors.
 */
function onBehalf({ owner }: Schedule, caller: Principal): Principal {
  if (caller.id === owner) return caller;
  const limits = isVisitor(owner) ? ANONYMOUS_CALLER : { admin: caller.admin, signedIn: true };
  return { id: owner, ...limits, grants: NO_GRANTS };
}

function pageOf({ query }: Request): { limit: number; cursor: string | undefined } {
  const limit = query.limit === undefined ? PAGE : Number(query.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw invalid([{ pointer: '/limit', detail: `must be a whole number from 1 to ${MAX_PAGE}` }]);
  }
  if (query.cursor === undefined) return { limit, cursor: undefined };
  const cursor = Buffer.from(String(query.cursor), 'base64url').toString();
  if (!/^\d{15} [\w-]{36}$/.test(cursor)) {
    throw invalid([{ pointer: '/cursor', detail: 'must be the `next` of the previous page' }]);
  }
  return { limit, cursor };
}
