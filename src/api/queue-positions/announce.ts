import { jobChannel, jobOfChannel } from '../../shared/channel/keys.js';
import type { Publisher } from '../../shared/channel/publisher.js';
import { addressOf, requireAddress } from '../../shared/jobs/queues.js';
import { type PublishedStateReader, type QueueFacts, queueGuard } from '../../shared/lifecycle/published.js';
import { every } from '../../shared/process/every.js';
import type { Logger } from '../../shared/process/log.js';
import type { Service } from '../../shared/process/service.js';
import type { RedisClient } from '../../shared/redis/client.js';
import { serverNow } from '../../shared/redis/server-clock.js';
import { serverRun } from '../../shared/redis/server-run.js';
import { QueuePace } from './pace.js';
import { type Position, type PositionReader, WINDOW } from './read.js';
import type { UsualPace, UsualPaceReader } from './usual-pace.js';
import { type ShownPosition, shownPosition } from './view.js';

/** How often the queues of watched jobs are looked at, in ms. */
const CHECK_MS = 1000;
/** When a job that does not wait, or whose position another process publishes, is looked at again, in ms. */
const REST_MS = 5000;
/** When a job that is further back than the jobs that are looked at is looked at again, in ms: that costs more. */
const FAR_MS = 10_000;
/** Positions up to this one are published whenever they change. Others when they change much, or after this time in ms. */
const [NEAR, RENEW_MS] = [10, 10_000];
/** By which share a distant position or a remaining time has to change. */
const MUCH = 0.1;
/** Smaller changes of the remaining time are not published, in ms. */
const MIN_CHANGE_MS = 2000;
/** The maximum number of positions that are published at a time, the nearest first. */
const AT_ONCE = 200;

export interface AnnouncerOptions {
  /** The names of the channels that have viewers in this process. */
  channels: () => Iterable<string>;
  readPositions: PositionReader;
  readUsualPace: UsualPaceReader;
  readPublished: PublishedStateReader;
  publisher: Publisher;
  redis: RedisClient;
  /** How fast each queue takes its jobs. Only queues with watched waiting jobs are in it. */
  paces: Map<string, QueuePace>;
  log: Logger;
}

/** What is known of the published position of a watched job. */
interface Announced {
  facts: QueueFacts;
  attempt: number;
  before?: number | undefined;
  /** When the job begins, by the newest published estimate, ms since 1970. */
  beginsAt?: number | undefined;
  at: number;
}

/**
 * Publishes the positions of the waiting jobs that have viewers in this process, as `queue` events: with one look at each
 * queue a second, however many viewers and jobs there are. Nothing is published of a job without viewers, and when its last
 * viewer leaves, its position is withdrawn, because nobody keeps it up to date. Several processes may watch the same job: the
 * channel accepts a change only from one that knows what was published before.
 */
export function announcePositions(options: AnnouncerOptions): Service {
  const { channels, readPositions, readUsualPace, readPublished, publisher, redis, paces, log } = options;
  const announced = new Map<string, Announced>();
  /** The jobs that waited at the last look. Of a job that waits for a moment only, nothing is published. */
  let waiting = new Set<string>();
  /** When a job is looked at again, in ms of the monotonic clock. */
  const resting = new Map<string, number>();

  async function check(): Promise<void> {
    const watched = new Set([...channels()].flatMap((name) => jobOfChannel(name) ?? []));
    for (const jobId of resting.keys()) if (!watched.has(jobId)) resting.delete(jobId);
    await withdraw([...announced.keys()].filter((jobId) => !watched.has(jobId)));
    const now = performance.now();
    const waitingNow = new Set<string>();
    const queues = new Map<string, string[]>();
    for (const jobId of watched) {
      if ((resting.get(jobId) ?? 0) > now) {
        if (announced.has(jobId)) waitingNow.add(jobId);
        continue;
      }
      const queue = addressOf(jobId)?.queue;
      if (queue === undefined) continue;
      const jobIds = queues.get(queue);
      if (jobIds) jobIds.push(jobId);
      else queues.set(queue, [jobId]);
    }
    for (const queue of paces.keys()) if (!queues.has(queue)) paces.delete(queue);
    for (const [queue, jobIds] of queues) await checkQueue(queue, jobIds, waitingNow);
    waiting = waitingNow;
  }

  /** @param waitingNow gets the jobs that wait */
  async function checkQueue(queue: string, jobIds: string[], waitingNow: Set<string>): Promise<void> {
    const positions = await readPositions(queue, jobIds);
    const usual = positions.size === 0 ? undefined : await readUsualPace(queue);
    const now = performance.now();
    if (positions.size === 0) paces.delete(queue);
    else {
      const pace = paces.get(queue) ?? new QueuePace();
      paces.set(queue, pace);
      pace.add(positions, now);
    }
    const unknown = jobIds.filter((jobId) => !positions.has(jobId));
    for (const jobId of unknown) resting.set(jobId, now + REST_MS);
    await withdraw(unknown.filter((jobId) => announced.has(jobId)));
    for (const jobId of positions.keys()) waitingNow.add(jobId);
    const due = [...positions]
      .filter(([jobId]) => waiting.has(jobId))
      .filter(([jobId, position]) => isDue(announced.get(jobId), position, beginOf(queue, position, usual)))
      .sort(([, a], [, b]) => a.before - b.before)
      .slice(0, AT_ONCE);
    await Promise.all(due.map(([jobId, position]) => announce(jobId, position, usual)));
    for (const [jobId, { before }] of positions) {
      if (before === WINDOW && announced.has(jobId)) resting.set(jobId, now + FAR_MS);
    }
  }

  function beginOf(queue: string, position: Position, usual: UsualPace | undefined): number | undefined {
    const ms = paces.get(queue)?.beginsIn(position, usual);
    return ms === undefined ? undefined : serverNow() + ms;
  }

  async function announce(jobId: string, position: Position, usual: UsualPace | undefined): Promise<void> {
    const known = announced.get(jobId) ?? (await readAnnounced(jobId));
    if (!known) return leave(jobId);
    const beginsAt = beginOf(requireAddress(jobId).queue, position, usual);
    announced.set(jobId, known);
    // Another process may have published it.
    if (!isDue(known, position, beginsAt)) return;
    const { before } = position;
    const facts = { ...NOTHING, place: placeOf(before, beginsAt) };
    const at = serverNow();
    const shown = shownPosition(position, beginsAt && Math.max(0, Math.round(beginsAt - at)));
    if (await publish(jobId, known, facts, shown, at)) {
      announced.set(jobId, { facts, attempt: known.attempt, before, beginsAt, at });
    } else leave(jobId);
  }

  /** Publishes that the positions of jobs are no longer known. */
  async function withdraw(jobIds: string[]): Promise<void> {
    await Promise.all(
      jobIds.map(async (jobId) => {
        const known = announced.get(jobId);
        announced.delete(jobId);
        if (known) await publish(jobId, known, NOTHING, {}, serverNow());
      }),
    );
  }

  /** @returns whether the channel has accepted the event: the job still waits, and nothing was published since */
  async function publish(
    jobId: string,
    { facts: from, attempt }: Announced,
    to: QueueFacts,
    shown: ShownPosition,
    at: number,
  ): Promise<boolean> {
    const data = { jobId, attempt, paused: false, noWorker: false, ...shown, at };
    const guard = { field: 'paused' as const, from: queueGuard(from), to: queueGuard(to) };
    const run = serverRun(redis);
    const event = { event: 'queue', kind: 'state' as const, data };
    return (await publisher.publish(jobChannel(jobId), event, { attempt, guard, run })) !== undefined;
  }

  /** Reads what was published of a job; `undefined` if something else is shown of its queue, or it has no channel. */
  async function readAnnounced(jobId: string): Promise<Announced | undefined> {
    const published = await readPublished(jobId);
    if (!published || published.end !== undefined) return undefined;
    const { attempt, paused = false, noWorker = false, cancelling = false, place = 0 } = published;
    if (paused || noWorker || cancelling) return undefined;
    return { facts: { ...NOTHING, place }, attempt, ...publishedPlace(place), at: serverNow() };
  }

  function leave(jobId: string): void {
    announced.delete(jobId);
    resting.set(jobId, performance.now() + REST_MS);
  }

  function onError(error: unknown): void {
    // What was published before the fault is unknown.
    announced.clear();
    log.debug({ err: error }, 'could not publish the positions of waiting jobs');
  }
  const checks = every(CHECK_MS, check, onError);
  return {
    async stop() {
      // Not awaited while Redis is away: a round does not end then.
      const stopped = checks.stop();
      if (redis.status !== 'ready') return;
      await stopped;
      await withdraw([...announced.keys()]).catch(onError);
    },
  };
}

const NOTHING: QueueFacts = { paused: false, noWorker: false, cancelling: false };

/** Whether a position or the time at which the job begins has changed enough to be published. */
function isDue(known: Announced | undefined, { before }: Position, beginsAt: number | undefined): boolean {
  if (!known) return true;
  const now = serverNow();
  if ((known.beginsAt === undefined) !== (beginsAt === undefined)) return true;
  const change = Math.abs((beginsAt ?? 0) - (known.beginsAt ?? 0));
  if (change > Math.max(MIN_CHANGE_MS, MUCH * ((beginsAt ?? now) - now))) return true;
  if (before === known.before) return false;
  const moved = Math.abs(before - (known.before ?? 0));
  return before <= NEAR || moved > MUCH * before || now - known.at > RENEW_MS;
}

/** The channel stores the time at which a job begins in steps of this length, in ms, and as many of them. */
const [STEP_MS, STEPS] = [2000, 65_536];

/** Returns what the channel stores of a published position, so that each change is published once. */
function placeOf(before: number, beginsAt: number | undefined): number {
  const step = beginsAt === undefined ? 0 : 1 + (Math.round(beginsAt / STEP_MS) % STEPS);
  return 1 + before + (WINDOW + 1) * step;
}

/** Parses the result of {@link placeOf}; 0 stands for no position. */
function publishedPlace(place: number): Pick<Announced, 'before' | 'beginsAt'> {
  if (place === 0) return {};
  const before = (place - 1) % (WINDOW + 1);
  const step = Math.floor((place - 1) / (WINDOW + 1));
  if (step === 0) return { before };
  const now = Math.round(serverNow() / STEP_MS);
  // The time that is nearest to now.
  const ahead = (((step - 1 - now) % STEPS) + STEPS) % STEPS;
  return { before, beginsAt: (now + (ahead > STEPS / 2 ? ahead - STEPS : ahead)) * STEP_MS };
}
